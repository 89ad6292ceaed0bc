"""The command line: `medrl <command>`. What it runs is imported only then, so that help comes at once."""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from medrl.errors import ConfigError, DataError, InfrastructureError, UserError

if TYPE_CHECKING:
    from medrl.config import Config

E = TypeVar("E", bound=Exception)

_DESCRIPTION = """\
Train medical deep-research agents: synthesise questions and guided trajectories from a medical ontology,
fine-tune on them (SFT), then improve by trial and reward (GRPO)."""

_EXAMPLES = """\
examples:
  medrl quickstart                                 the whole pipeline, small, on a CPU
  medrl plan quickstart grpo.group_size=16         what that would do and need; starts nothing
  medrl train my.yaml model.path=~/models/qwen3    GRPO from a model of your own
  medrl cluster slurm qwen2.5-32b > job.sh         the batch script of a run on eight nodes
  medrl report runs/quickstart                     write report.html again
  medrl export qa medical --to qa.jsonl            its questions in the format of MedResearcher-R1
  medrl import qa qa.jsonl --to data/theirs        and back
  medrl count pubmed/*.xml.gz                      how rare entities are in a corpus, for knowledge.frequencies
  medrl index build pubmed/*.xml.gz --to pubmed.index   a corpus on disk, for knowledge.indexes
  medrl index show pubmed.index "Marfan syndrome"  what it finds, and how each score came about

A RECIPE is a name (quickstart, cpu, medical, qwen2.5-7b, qwen2.5-32b) or a YAML file. Settings after it replace the
recipe's: section.key=value.
Work that was interrupted goes on where it stopped: give the same command again."""

_STAGED = {
    "synthesize": "write questions and guided trajectories (KISA)",
    "sft": "synthesise, then fine-tune on the guided trajectories",
    "train": "synthesise, fine-tune, then GRPO",
    "eval": "train what is not trained yet, play held-out questions with all three models, write the report",
}


_FORMATS = {
    "qa": "questions of MedResearcher-R1: reasoning_path (masked guidance), entity_mapping",
    "messages": "training trajectories of MedResearcher-R1: chat messages with thoughts, calls and tool responses",
    "webshaper": "questions of WebShaper: formalization (triplets), urls",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0; 1 infrastructure failed; 2 the user can mend it; 130 interrupted."""
    options = _parser().parse_args(arguments)
    _keep_to_loopback()
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # ours are enough; read when transformers is imported
    try:
        _run(options)
    except KeyboardInterrupt:
        return _complain("interrupted; the same command goes on where this one stopped", 130)
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UserError, InfrastructureError) as error:
        return _complain(str(_cause(error)), 2 if isinstance(error, UserError) else 1)
    return 0


def _keep_to_loopback() -> None:
    """A Ray session of our own gets the loopback address and listens there alone.

    Ray reads this setting, made for desktops, when it is imported; the address in `ray.init` does not do it.
    """
    if "RAY_ADDRESS" not in os.environ:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def _run(options: argparse.Namespace) -> None:
    if options.command == "report" and Path(options.recipe).is_dir():
        if options.settings:
            raise ConfigError(f"{options.settings[0]}: a run directory has its settings; leave this out")
        _report(Path(options.recipe))
        return
    if options.command == "report" and "/" in options.recipe and not Path(options.recipe).is_file():
        raise DataError(f"{options.recipe}: no such run directory")
    if options.command == "import" and options.format == "qa":
        from launch.exchange import import_questions

        print(import_questions(Path(options.file), Path(options.to)))
        return
    if options.command == "count":
        _count(options)
        return
    if options.command == "index":
        _index(options)
        return
    from launch.recipe import load_recipe

    config = load_recipe(options.recipe, options.settings)
    if options.command == "report":
        _report(config.run_path)
    elif options.command in ("export", "import"):
        _exchange(options, config)
    elif options.command == "cluster":
        _cluster(options, config)
    elif options.command == "plan":
        _plan(config)
    else:
        try:
            _stages(options.command, config)
        except OSError as error:
            if _cause(error).errno != errno.ENOSPC:
                raise
            raise DataError(
                f"the disk is full below {config.run_path}: make room and give the same command again, or choose "
                "another place with run_dir=..."
            ) from error


def _stages(command: str, config: "Config") -> None:
    from launch import pipeline

    stages = {
        "quickstart": pipeline.QUICKSTART,
        "synthesize": pipeline.SYNTHESIZE,
        "sft": pipeline.FINETUNE,
        "train": pipeline.TRAIN,
        "eval": pipeline.EVALUATE,
    }
    pipeline.run(config, stages[command])


def _plan(config: "Config") -> None:
    from launch.architectures import planned_shape
    from launch.plan import render_plan

    print(render_plan(config, *planned_shape(config)), end="")


def _cluster(options: argparse.Namespace, config: "Config") -> None:
    from launch.cluster.render import render

    print(render(options.kind, config, options.recipe, options.settings), end="")


def _exchange(options: argparse.Namespace, config: "Config") -> None:
    from launch import exchange

    if options.command == "export":
        print(exchange.export_dataset(config, options.recipe, options.format, options.to))
    else:
        print(exchange.import_trajectories(Path(options.file), config, Path(options.to)))


def _count(options: argparse.Namespace) -> None:
    # Ray Data gives its actors arguments by reference, which Ray calls an error at every start.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    from launch.count import count

    count(options.files, options.ontology, options.to, options.workers)


def _index(options: argparse.Namespace) -> None:
    from launch import index

    if options.action == "build":
        index.build(options.files, options.to, options.encoder if options.vectors else None)
    else:
        index.show(options.folder, options.query, options.encoder)


def _report(run_path: Path) -> None:
    from launch.report import write_report

    print(write_report(run_path))


def _cause(error: E) -> E:
    """What an actor raised, if this is what Ray made of it; else the error itself."""
    return getattr(error, "cause", error)


def _complain(message: str, code: int) -> int:
    print(f"medrl: {message}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="medrl", description=_DESCRIPTION, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"medrl {version('medrl')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    quickstart = commands.add_parser("quickstart", help="everything, small, on a CPU, and a report at the end")
    quickstart.set_defaults(recipe="quickstart")
    _add_settings(quickstart)
    for name, purpose in (
        *_STAGED.items(),
        ("plan", "what a recipe would do and need: work, processes, memory, files; starts nothing"),
    ):
        command = commands.add_parser(name, help=purpose, description=purpose)
        command.add_argument("recipe", metavar="RECIPE", help="a recipe's name, or a YAML file")
        _add_settings(command)
    cluster = commands.add_parser(
        "cluster",
        help="print the file that starts a recipe on a cluster: Slurm, Kubernetes or a Ray job",
        description="Print, for the nodes under the recipe's `cluster`, a Slurm batch script, a KubeRay manifest, or a "
        "script for `ray job submit`. Nothing is started.",
    )
    cluster.add_argument("kind", choices=("slurm", "kubernetes", "ray-job"), help="what starts it")
    cluster.add_argument("recipe", metavar="RECIPE", help="a recipe's name, or a YAML file that all nodes see")
    _add_settings(cluster)
    _add_exchange(commands)
    count = commands.add_parser(
        "count",
        help="count in how many documents of a corpus each entity is named",
        description="Count in how many documents of a corpus each entity of an ontology is named, and write what "
        "knowledge.frequencies takes. Files go to workers one by one, so split one that is very large. RAY_ADDRESS: "
        "count on that cluster. Interrupted, the same command goes on after the files that were finished.",
    )
    count.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help=".xml (PubMed), .txt (PubTator) or .jsonl, plain or .gz"
    )
    count.add_argument("--ontology", default="hpo", help="as knowledge.ontology: hpo, or a folder (default: hpo)")
    count.add_argument("--to", type=Path, default=Path("frequencies.json"), help="(default: frequencies.json)")
    count.add_argument("--workers", type=_positive, help="CPUs to take (default: all)")
    _add_index(commands)
    report = commands.add_parser("report", help="write report.html of a run again")
    report.add_argument("recipe", metavar="RUN", help="a run directory, or a recipe")
    _add_settings(report)
    return parser


def _add_exchange(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    formats = "\n".join(f"  {name:10} {what}" for name, what in _FORMATS.items())
    export = commands.add_parser(
        "export",
        help="write a dataset in another project's format",
        description="Write what `medrl synthesize RECIPE` made as JSON lines of another project. FORMAT is one of\n\n"
        f"{formats}\n\nThe same dataset gives the same bytes. A file that holds something else is never replaced.",
        epilog="`medrl import` reads qa and messages back, equal to what was exported.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export.add_argument("format", choices=tuple(_FORMATS), metavar="FORMAT", help=", ".join(_FORMATS))
    export.add_argument("recipe", metavar="RECIPE", help="the recipe, or YAML file, that the dataset was made with")
    _add_settings(export)
    export.add_argument("--to", metavar="FILE", help="where to write; FORMAT.jsonl beside the questions if left out")
    imported = commands.add_parser("import", help="read a dataset in another project's format")
    kinds = imported.add_subparsers(dest="format", required=True, metavar="FORMAT")
    qa = kinds.add_parser(
        "qa",
        help=_FORMATS["qa"],
        description="Read questions of MedResearcher-R1. Those that medrl exported become questions.jsonl again. "
        "Others bring no proof that their answer is the only one, and become unproved.jsonl.",
    )
    qa.add_argument("file", metavar="FILE", help="JSON lines: question, answer; the rest may be missing")
    messages = kinds.add_parser(
        "messages",
        help=_FORMATS["messages"],
        description="Read training trajectories of MedResearcher-R1 into trajectories.jsonl, in the tokens of the "
        "recipe's model. Tool responses are cut after env.observation_tokens, but for those that medrl exported.",
    )
    messages.add_argument("file", metavar="FILE", help="JSON lines: messages, termination, qaid")
    messages.add_argument("recipe", metavar="RECIPE", help="a recipe's name, or a YAML file: its model and limits")
    _add_settings(messages)
    for command in (qa, messages):
        command.add_argument("--to", metavar="FOLDER", required=True, help="where to write")


def _add_index(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    index = commands.add_parser("index", help="build an index over a large corpus on disk, or look into one")
    actions = index.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser(
        "build",
        help="index files of a corpus",
        description="Index the documents of a corpus in one pass, whatever its size, in a folder that "
        "knowledge.indexes takes. The folder appears whole or not at all.",
    )
    build.add_argument(
        "files", nargs="+", type=Path, metavar="CORPUS", help="documents (.jsonl) or PubMed (.xml), plain or .gz"
    )
    build.add_argument("--to", type=Path, required=True, metavar="DIR", help="the new folder")
    build.add_argument(
        "--no-vectors", dest="vectors", action="store_false", help="by words alone: much faster to build, finds less"
    )
    show = actions.add_parser("show", help="what an index holds, and what it finds")
    show.add_argument("folder", type=Path, metavar="DIR", help="what `medrl index build` wrote")
    show.add_argument("query", nargs="?", help="print what it finds for this, and how each score came about")
    for action in (build, show):
        action.add_argument("--encoder", default="all-minilm-l6-v2", help="as knowledge.encoder (default: %(default)s)")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give 1 or more")
    return int(text)


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "settings", nargs="*", metavar="section.key=value", help="settings in place of the recipe's, e.g. grpo.steps=40"
    )
