"""`medrl eval RECIPE --on …`: every agent with every set of tools on every benchmark, then one table of them all.

find agents and questions -> open what was kept -> play what is missing -> score -> tables, report.md, report.html
"""

import hashlib
import sys
from collections.abc import Container, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from envs.benchmarks import heldout
from envs.benchmarks.item import ItemSet
from envs.benchmarks.loading import load_benchmark
from envs.benchmarks.scored import Scored
from kisa.knowledge import build_knowledge
from launch import preflight
from launch.aside import aside
from launch.benchmarks.agents import Agent, ToolSet, find_agents, tool_set
from launch.benchmarks.comparison import Sheet, analysis_of, row_name, sheet
from launch.benchmarks.endpoints import Endpoints
from launch.benchmarks.engines import Engines, play
from launch.benchmarks.episode import Episode
from launch.benchmarks.heldout import heldout_analyses
from launch.benchmarks.judging import judged
from launch.benchmarks.report import as_lines, write_reports
from launch.benchmarks.results import Results
from launch.rundir import RunDirectory
from medrl.config import Config
from medrl.errors import ConfigError, InfrastructureError, cause_of
from medrl.printable import printable
from medrl.progress import Progress
from medrl.sections.endpoint import ASKING, EndpointConfig
from medrl.verification import Analysis

FOLDER = "benchmarks"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for. `on`: benchmark and file, None for the run's own held-out questions. `first`:
    from a benchmark's name to the number of its questions; that of "" holds for those that are not named."""

    on: tuple[tuple[str, Path | None], ...]
    agents: tuple[str, ...] = ()
    tools: tuple[str, ...] = ("all",)
    first: Mapping[str, int] = field(default_factory=dict)
    samples: int = 1
    temperature: float = 0.0

    def first_of(self, name: str) -> int | None:
        """How many of the benchmark's questions are played; None for all."""
        return self.first.get(name, self.first.get(""))


@dataclass(frozen=True, slots=True)
class Run:
    """One row of one table: an agent with its tools on a benchmark, and what is kept of it."""

    items: ItemSet
    agent: Agent
    tools: ToolSet
    results: Results


def evaluate_on(config: Config, asked: Asked) -> None:
    """Do what is asked and is not done yet; prints the tables, and where the page is.

    Raises InfrastructureError, after the report, if an agent could not be played to the end, episodes could not be
    played or answers not judged.
    """
    tools = list({each.name: each for each in map(tool_set, asked.tools)}.values())
    benchmarks = [_load(config, name, path, asked.first_of(name)) for name, path in asked.on]
    if config.eval.judge is not None:
        preflight.require_key(config.eval.judge)
    base_model = preflight.check(config)  # at last, as it may unpack a model
    with ExitStack() as stack:
        run_dir = stack.enter_context(RunDirectory(config))
        agents = find_agents(asked.agents, config, run_dir, base_model)
        knowledge = aside(build_knowledge, config.knowledge)
        runs = _open(config, asked, benchmarks, agents, tools, knowledge, run_dir.path / FOLDER, stack)
        failed, lost = _play(config, asked, base_model, knowledge, runs)
        sheets, unjudged = _tabulate(config, asked, runs, lost, run_dir.path / FOLDER)
        if sheets:
            page = write_reports(run_dir.path / FOLDER, config.name, sheets, heldout_analyses(config))
            print(f"{as_lines(sheets)}\n\nreport: {page}", flush=True)
    if lost:
        named = "; ".join(f"{name} ({why})" for name, why in lost.items())
        raise InfrastructureError(f"not played to the end: {named}. The same command goes on with what is missing")
    if failed:
        raise InfrastructureError(
            f"not played, and in no figure: {len(failed)}, the first {failed[0]}. The same command goes on with them"
        )
    if unjudged:
        raise InfrastructureError(
            f"not judged, and in no figure: {len(unjudged)}, the first {unjudged[0]}. The same command asks again"
        )


def _load(config: Config, name: str, path: Path | None, first: int | None) -> tuple[ItemSet, str]:
    """A benchmark and a hash of its files. Raises ConfigError, DataError."""
    if path is None:
        if name != heldout.NAME:
            raise ConfigError(f"--on {name}: give its file, as in --on {name}=FILE")
        path = config.data_path / heldout.QUESTIONS
        if not path.is_file():
            raise ConfigError(f"--on {name}: {path} is not there yet; `medrl synthesize` makes it")
        first = first or config.eval.questions
    items = load_benchmark(name, path.expanduser(), first)
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    digest = hashlib.blake2b(digest_size=8)
    for file in files:
        digest.update(file.read_bytes())
    return items, digest.hexdigest()


def _open(
    config: Config,
    asked: Asked,
    benchmarks: Sequence[tuple[ItemSet, str]],
    agents: Sequence[Agent],
    tools: Sequence[ToolSet],
    knowledge: Path,
    folder: Path,
    stack: ExitStack,
) -> list[Run]:
    """What is kept of every row, refused where it came about otherwise, before anything is played."""
    abouts = {agent.name: agent.about() for agent in agents}
    sampled = f"-t{asked.temperature:g}" if asked.temperature else ""
    runs = []
    for items, digest in benchmarks:
        for agent in agents:
            for each in tools:
                about = {"agent": abouts[agent.name], "benchmark": digest, **_settings(config, each, knowledge, asked)}
                place = folder / items.name / f"{agent.name}-{each.name}{sampled}"
                results = stack.enter_context(Results(place, about, items.items))
                runs.append(Run(items, agent, each, results))
    return runs


def _settings(config: Config, tools: ToolSet, knowledge: Path, asked: Asked) -> Mapping[str, Any]:
    """What else an answer depends on."""
    exclude: Any = {**dict.fromkeys(("ontology", "cache", "network", "recording"), True), "reader": ASKING}
    return {
        "tools": list(tools.tools),
        "prompt": hashlib.blake2b(tools.prompt.encode(), digest_size=8).hexdigest(),
        "limits": {**config.env.model_dump(exclude={"timeout_s"}), "max_length": config.model.max_length},
        "temperature": asked.temperature,
        "seed": config.seed,
        "knowledge": {"documents": knowledge.name, **config.knowledge.model_dump(exclude=exclude)}
        if tools.tools
        else None,
    }


def _play(
    config: Config, asked: Asked, base_model: Path, knowledge: Path, runs: Sequence[Run]
) -> tuple[list[str], dict[str, str]]:
    """Play what is missing, agent by agent; returns why some episodes could not be played, and, by the names of agents
    that could not be played to the end, why. One agent's failure is not the others'."""
    failed: list[str] = []
    lost: dict[str, str] = {}
    remote = Endpoints(config, base_model, knowledge)
    with Engines(config, base_model, knowledge) as engines:
        for agent in {run.agent.name: run.agent for run in runs}.values():
            of_it = [run for run in runs if run.agent.name == agent.name]
            left = [
                Episode(item, sample, run.tools, run.results)
                for run in of_it
                for item, sample in run.results.missing(asked.samples)
            ]
            if not left:
                continue
            total = sum(len(run.items.items) * asked.samples for run in of_it)
            progress = partial(Progress, f"eval {agent.name}", total, "episode", total - len(left))
            try:
                if isinstance(agent.model, EndpointConfig):
                    with progress() as shown:
                        failed += remote.play(agent.model, left, asked.temperature, shown.advance)
                else:  # before the clock of the progress: to start takes longer than many episodes
                    with engines.holding(agent, agent.model) as players, progress() as shown:
                        failed += play(players, left, asked.temperature, config.seed, shown.advance)
            except InfrastructureError as error:
                lost[agent.name] = str(cause_of(error))
                line = f"eval {agent.name}: could not be played to the end: {lost[agent.name]}"
                print(printable(line), file=sys.stderr, flush=True)
    return failed, lost


def _tabulate(
    config: Config, asked: Asked, runs: Sequence[Run], lost: Container[str], folder: Path
) -> tuple[list[Sheet], list[str]]:
    """A sheet for each benchmark, and why some answers could not be judged. Left out are rows of which nothing is
    played, and rows that are not whole of the agents `lost`, by name; a benchmark without a row has no sheet."""
    unjudged: list[str] = []
    lines: dict[str, list[tuple[str, Sequence[Scored], Analysis | None]]] = {}
    absent: dict[str, list[str]] = {run.items.name: [] for run in runs}
    for run in runs:
        name = row_name(run.agent.name, run.tools.name)
        scored = run.results.scored(asked.samples)
        if run.results.missing(asked.samples) and (not scored or run.agent.name in lost):
            absent[run.items.name].append(name)
            continue
        if config.eval.judge is not None:
            by_id = {item.id: item for item in run.items.items}
            scored, failed = judged(config.eval.judge, folder, [(by_id[each.item_id], each) for each in scored])
            unjudged += failed
        analysis = None
        if run.tools.tools:
            rollouts = run.results.rollouts()
            analysis = analysis_of(run.items.items, rollouts, scored)
        lines.setdefault(run.items.name, []).append((name, scored, analysis))
    sets = {run.items.name: run.items for run in runs}
    sheets = [sheet(sets[name], asked.samples, rows, config.seed, absent[name]) for name, rows in lines.items()]
    return sheets, unjudged
