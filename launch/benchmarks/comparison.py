"""The rows of a benchmark's table, one an agent and a set of tools, and each beside the first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from envs.benchmarks.item import Item, ItemSet
from envs.benchmarks.scored import Scored
from envs.benchmarks.table import Comparison, Table, compare, tabulate
from medrl.matching import Verdict
from medrl.types import Rollout
from medrl.verification import Analysis, analyse, trace

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
    """One benchmark: its rows, the first of which the others are compared with. `absent`: names of rows that are left
    out, as they were not played to the end."""

    name: str
    items: ItemSet
    rows: tuple[Row, ...]
    samples: int
    absent: tuple[str, ...]


def row_name(agent: str, tools: str) -> str:
    """As it is shown."""
    return f"{AGENTS.get(agent, agent)}, {TOOLS.get(tools, tools.replace('+', ' + '))}"


def sheet(
    items: ItemSet,
    samples: int,
    runs: Sequence[tuple[str, Sequence[Scored], Analysis | None]],
    seed: int,
    absent: Sequence[str] = (),
) -> Sheet:
    """`runs`: name, scored episodes and analysis of each row, in order, at least one."""
    rows: list[Row] = []
    for name, scored, analysis in runs:
        first = runs[0][1]
        both = {each.item_id for each in scored} & {each.item_id for each in first}
        beside = compare(items.items, scored, first, seed=seed) if rows and both else None
        rows.append(Row(name, tabulate(items.items, scored, seed=seed), beside, analysis))
    return Sheet(items.name, items, tuple(rows), samples, tuple(absent))


def is_resolved(comparison: Comparison) -> bool:
    """Whether the interval of the difference leaves out 0, and the exact test agrees: where few questions differ, a
    bootstrap is too sure."""
    is_apart = comparison.difference.low > 0 or comparison.difference.high < 0
    return is_apart and comparison.p_value < SIGNIFICANT


def analysis_of(items: Sequence[Item], rollouts: Iterable[Rollout], scored: Sequence[Scored]) -> Analysis:
    """Search, verify, synthesise, in the first episode of every item."""
    by_id = {item.id: item for item in items}
    right = {each.item_id for each in scored if each.sample == 0 and each.verdict is Verdict.CORRECT}
    known = {each.item_id for each in scored if each.sample == 0}
    traced = [
        trace(rollout, item.prompt, item.hops, item.id in right)
        for rollout in rollouts
        if rollout.question_id in known and (item := by_id[rollout.question_id])
    ]
    return analyse([each for each in traced if each is not None])
