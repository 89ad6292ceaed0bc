"""The command line: `medrl <command>`. What it runs is imported only then, so that help comes at once."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

from launch.commands import ask, corpora, dashboard, exchange, planning, report, review, stages, sweep
from medrl.errors import InfrastructureError, UserError, cause_of
from medrl.printable import printable

#: In the order in which `medrl --help` lists them.
_GROUPS = (stages, sweep, planning, report, dashboard, ask, review, exchange, corpora)

_DESCRIPTION = """\
Train medical deep-research agents: synthesise questions and guided trajectories from a medical ontology,
fine-tune on them (SFT), then improve by trial and reward (GRPO)."""

_EXAMPLES = """\
examples:
  medrl quickstart                                 the whole pipeline, small, on a CPU
  medrl plan quickstart grpo.group_size=16         what that would do and need; starts nothing
  medrl train my.yaml model.path=~/models/qwen3    GRPO from a model of your own
  medrl eval quickstart --on medbrowsecomp=final50.csv   agents on a benchmark, with intervals
  medrl cluster slurm qwen2.5-32b > job.sh         the batch script of a run on eight nodes
  medrl ask "Which gene ...?" --model runs/quickstart   its agent searches, then answers
  medrl serve runs/quickstart                      ask it on a page, or from other programs (/v1)
  medrl report runs/quickstart                     write report.html again
  medrl dashboard runs/quickstart                  a live page of it, while it runs and after
  medrl review runs/quickstart                     rate its episodes, for reward.ratings to learn from
  medrl sweep reward_weights --plan                what a comparison of settings would do; without --plan, does it
  medrl export qa medical --to qa.jsonl            its questions in the format of MedResearcher-R1
  medrl import qa qa.jsonl --to data/theirs        and back
  medrl count pubmed/*.xml.gz                      how rare entities are in a corpus, for knowledge.frequencies
  medrl index build pubmed/*.xml.gz --to pubmed.index   a corpus on disk, for knowledge.indexes
  medrl index show pubmed.index "Marfan syndrome"  what it finds, and how each score came about

A RECIPE is a name (quickstart, cpu, medical, qwen2.5-7b, qwen2.5-32b), a YAML file, or
the folder of a run. Settings after it replace the recipe's: section.key=value.
Work that was interrupted goes on where it stopped: give the same command again."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code of `exit_code_of`."""
    options = _parser().parse_args(arguments)
    keep_to_loopback()
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # ours are enough; read when transformers is imported
    return exit_code_of(lambda: options.run(options), goes_on=options.goes_on)


def exit_code_of(work: Callable[[], object], *, goes_on: bool = True) -> int:
    """Do it; an error is one line on stderr. 0; 1 infrastructure failed; 2 the user can mend it; 130 interrupted.

    `goes_on`: what it has done is kept, and need not be done again after an interruption."""
    try:
        work()
    except KeyboardInterrupt:
        hint = "; the same command goes on where this one stopped" if goes_on else ""
        return _complain(f"interrupted{hint}", 130)
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UserError, InfrastructureError) as error:
        return _complain(str(cause_of(error)), 2 if isinstance(error, UserError) else 1)
    return 0


def keep_to_loopback() -> None:
    """A Ray session of our own gets the loopback address and listens there alone.

    Ray reads this setting, made for desktops, when it is imported; the address in `ray.init` does not do it.
    """
    if "RAY_ADDRESS" not in os.environ:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def _complain(message: str, code: int) -> int:
    print(f"medrl: {printable(message)}", file=sys.stderr)  # it may quote a server or a document
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="medrl", description=_DESCRIPTION, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"medrl {version('medrl')}")
    parser.set_defaults(goes_on=False)  # those that do say so
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group in _GROUPS:
        group.add(commands)
    return parser
