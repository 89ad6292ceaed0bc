"""eval --on: agents on benchmarks."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from launch.commands.settings import positive
from medrl.errors import ConfigError

if TYPE_CHECKING:
    from medrl.config import Config

PURPOSE = """\
Train what is not trained yet, play the held-out questions with all three models, write the report. With --on nothing is
trained: agents play benchmarks, and a table compares them, with intervals."""

EXAMPLES = """\
examples:
  medrl eval quickstart                                          base, SFT and RL on the held-out questions
  medrl eval quickstart --on medbrowsecomp=final50.csv --on xbench=DeepSearch.csv --first xbench=20
  medrl eval quickstart --on medbrowsecomp=final50.csv --tools all --tools none
  medrl eval quickstart --on heldout --agent sft --agent rl --samples 4 --temperature 1
  medrl eval quickstart --compare                                the paper's comparison on the held-out questions
  medrl eval quickstart --on medbrowsecomp=final50.csv --agent http://127.0.0.1:8000/v1#qwen3-8b

Every episode is kept below RUN/benchmarks/ as it ends: interrupted at any moment, the same command plays what is
missing and nothing twice; when nothing is missing it scores the kept answers again. Tables: on stdout, and in report.md
and report.html there. An agent that cannot be played to the end (its endpoint is down or refuses it, its engines fail)
leaves the others as they are: the tables say that it is missing, and the exit code is 1.
Prompts and limits are the recipe's. Settings stand directly behind it, such as a judge of answers that no rule calls
right: `medrl eval quickstart eval.judge.url=http://127.0.0.1:8000/v1 eval.judge.model=qwen3-32b --on …`
A model that wants a key has it from the environment: OPENAI_API_KEY for api.openai.com, for others the variable that
their entry in eval.models names. Benchmark questions never enter a run's data."""

COMPARED_AGENTS = ("base", "sft", "rl")
COMPARED_TOOLS = ("all", "none", "medical_retriever", "web_search")


def add_benchmarks(command: argparse.ArgumentParser) -> None:
    """The options of `eval` that are of benchmarks."""
    options = command.add_argument_group("benchmarks")
    options.add_argument(
        "--on",
        action="append",
        metavar="NAME=FILE",
        help="medbrowsecomp, gaia, xbench or heldout with its file; heldout alone: the run's questions; repeatable",
    )
    options.add_argument(
        "--agent",
        action="append",
        metavar="WHO",
        help="base, sft or rl of this run; a Hugging Face folder; URL#MODEL of an OpenAI-compatible endpoint; or the "
        "name of a model in eval.models; repeatable. Default: the checkpoints that the run has made, else base",
    )
    options.add_argument(
        "--tools",
        action="append",
        metavar="SET",
        help="all, none (closed-book), or names with commas between, such as medical_retriever,document_read; "
        "repeatable: each agent plays with each set. Default: all",
    )
    options.add_argument(
        "--first",
        action="append",
        type=_first,
        metavar="[NAME=]N",
        help="only the first N questions: of each benchmark, or of the named one, whatever holds for the others; "
        "repeatable",
    )
    options.add_argument(
        "--samples", type=positive, metavar="K", help="episodes a question, for pass@k (default: 1, greedy)"
    )
    options.add_argument(
        "--temperature",
        type=_temperature,
        metavar="T",
        help="0 is greedy, the default of one sample; of several the default is grpo.temperature",
    )
    options.add_argument(
        "--compare",
        action="store_true",
        help="the paper's comparison: base, SFT, SFT+RL; with all tools, none, the retriever or the web search alone; "
        "on the held-out questions unless --on says otherwise",
    )


def is_asked(options: argparse.Namespace) -> bool:
    """Whether the command is about benchmarks. Raises ConfigError for an option that only they have."""
    if options.on or options.compare:
        return True
    for name in ("agent", "tools", "first", "samples", "temperature"):
        if vars(options)[name] is not None:
            raise ConfigError(
                f"--{name} is of benchmarks: say which with --on NAME=FILE; --on heldout alone plays the run's "
                "held-out questions"
            )
    return False


def run_benchmarks(options: argparse.Namespace, config: "Config") -> None:
    """Play and compare."""
    from launch.benchmarks.evaluation import Asked, evaluate_on

    compare = options.compare
    samples = options.samples or 1
    temperature = options.temperature
    if temperature is None:
        temperature = 0.0 if samples == 1 else config.grpo.temperature
    if samples > 1 and temperature == 0:
        raise ConfigError(f"--samples {samples} --temperature 0: greedy samples are all the same; give 1 or T above 0")
    on = tuple(map(_benchmark, dict.fromkeys(options.on or ["heldout"])))
    _require_once("--on", [name for name, _ in on])
    first = options.first or []
    _require_once("--first", [name for name, _ in first])
    if strange := [name for name, _ in first if name and name not in dict(on)]:
        raise ConfigError(f"--first {strange[0]}: that benchmark is not played; --on says which are")
    asked = Asked(
        on=on,
        agents=tuple(options.agent or (COMPARED_AGENTS if compare else ())),
        tools=tuple(options.tools or (COMPARED_TOOLS if compare else ("all",))),
        first=dict(first),
        samples=samples,
        temperature=temperature,
    )
    evaluate_on(config, asked)


def _benchmark(text: str) -> tuple[str, Path | None]:
    name, equals, path = text.partition("=")
    return name, Path(path) if equals else None


def _first(text: str) -> tuple[str, int]:
    """The benchmark's name, "" for all, and its number of questions."""
    name, _, number = text.rpartition("=")
    return name, positive(number)


def _require_once(option: str, names: Sequence[str]) -> None:
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{option}: {twice[0] or 'a number for all benchmarks'} is there twice; give one of them")


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: give 0 or more")
    return value
