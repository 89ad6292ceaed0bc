"""The rows of a benchmark's table, one an agent and a set of tools, and each beside the first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from envs.benchmarks.item import Item, ItemSet
from envs.benchmarks.scored import Scored
from envs.benchmarks.table import Comparison, Table, compare, tabulate
from medrl.matching import Verdict
from medrl.seeds import derive_seed
from medrl.types import Rollout
from medrl.verification import Analysis, Traced, analyse, trace

AGENTS = {"base": "Base", "sft": "SFT", "rl": "SFT + RL"}
SIGNIFICANT = 0.05
TOOLS = {"all": "all tools", "none": "no tools", "web_search": "WebSearch only"}


@dataclass(frozen=True, slots=True)
class Row:
    """What one agent with one set of tools came to. `analysis`: None where it was not asked to search."""

    name: str
    table: Table
    against_first: Comparison | None
    analysis: Analysis | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One benchmark: its rows, the first of which the others are compared with."""

    name: str
    items: ItemSet
    rows: tuple[Row, ...]
    samples: int


def row_name(agent: str, tools: str) -> str:
    """As it is shown."""
    return f"{AGENTS.get(agent, agent)}, {TOOLS.get(tools, tools.replace('+', ' + '))}"


def sheet(
    items: ItemSet, samples: int, runs: Sequence[tuple[str, Sequence[Scored], Analysis | None]], seed: int
) -> Sheet:
    """`runs`: name, scored episodes and analysis of each row, in order."""
    rows: list[Row] = []
    for name, scored, analysis in runs:
        first = runs[0][1]
        both = {each.item_id for each in scored} & {each.item_id for each in first}
        beside = compare(items.items, scored, first, seed=seed) if rows and both else None
        rows.append(Row(name, tabulate(items.items, scored, seed=seed), beside, analysis))
    return Sheet(items.name, items, tuple(rows), samples)


def is_resolved(comparison: Comparison) -> bool:
    """Whether the interval of the difference leaves out 0, and the exact test says so, too: of few questions that differ
    a bootstrap is too sure."""
    is_apart = comparison.difference.low > 0 or comparison.difference.high < 0
    return is_apart and comparison.p_value < SIGNIFICANT


def analysis_of(
    items: Sequence[Item], rollouts: Iterable[Rollout], scored: Sequence[Scored], *, seed: int, resamples: int
) -> Analysis:
    """Search, verify, synthesise, in the first episode of every item."""
    by_id = {item.id: item for item in items}
    right = {each.item_id for each in scored if each.sample == 0 and each.verdict is Verdict.CORRECT}
    known = {each.item_id for each in scored if each.sample == 0}
    traced = [
        trace(rollout, item.prompt, item.hops, item.id in right)
        for rollout in rollouts
        if rollout.question_id in known and (item := by_id[rollout.question_id])
    ]
    return analysis_over([each for each in traced if each is not None], seed=seed, resamples=resamples)


def analysis_over(traced: Sequence[Traced], *, seed: int, resamples: int) -> Analysis:
    """With intervals that the run's seed decides."""
    return analyse(traced, rng=np.random.default_rng(derive_seed(seed, "verification")), n=resamples)
