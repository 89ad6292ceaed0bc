"""What a sheet says, as tables."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from envs.benchmarks.table import Costs, Estimate, Table
from launch.benchmarks.comparison import Row, Sheet, is_resolved
from launch.benchmarks.grid import NOTHING, Cell, Grid, share
from medrl.evaluation import wilson
from medrl.verification import MOST_TOLD_APART, Analysis, Difference

ALWAYS_NA = "says NA to everything"
_DASH = Cell(NOTHING)


def figures(sheet: Sheet) -> Grid:
    """The table that is read first: a row an agent and its tools, then the baseline that says NA to everything."""
    tables = [row.table for row in sheet.rows]
    columns: dict[str, Callable[[Table], Cell]] = {
        "n": lambda table: Cell(f"{table.num_items - table.num_missing:,}"),
        "accuracy": lambda table: share(table.accuracy),
        "real accuracy": lambda table: share(table.real),
        "unknown": lambda table: _bare(table.unknown),
    }
    for k in sorted({k for table in tables for k in table.pass_at if k > 1}):
        columns[f"pass@{k}"] = partial(_pass_at, k)
    columns |= {
        "tool calls": lambda table: _cost(table, lambda costs: costs.tool_calls),
        "tokens": lambda table: _cost(table, lambda costs: costs.tokens, digits=0),
        "s/item": lambda table: _cost(table, lambda costs: costs.duration_s, digits=1),
    }
    if any(table.num_missing for table in tables):
        columns["not played"] = lambda table: Cell(f"{table.num_missing:,}")
    if any(table.num_judged for table in tables):
        columns["judged"] = lambda table: Cell(f"{table.num_judged:,}")
    rows = [(Cell(row.name), *(cell(row.table) for cell in columns.values())) for row in sheet.rows]
    if (always_na := tables[0].always_na) is not None and num_na(sheet):
        of_it = baseline(sheet, tables[0], always_na)
        rows.append((Cell(ALWAYS_NA), *(of_it.get(name, _DASH) for name in columns)))
    return Grid((sheet.name, *columns), tuple(rows))


def _pass_at(k: int, table: Table) -> Cell:
    return share(table.pass_at.get(k))


def num_na(sheet: Sheet) -> int:
    """Items whose right answer is that there is none."""
    return sum(item.is_na for item in sheet.items.items)


def baseline(sheet: Sheet, table: Table, always_na: Estimate) -> dict[str, Cell]:
    """What saying NA to everything comes to, by column: by construction it has none of the others right. Whether NA is
    wrong there or says nothing depends on the question, so `unknown` is left open."""
    real = table.real.n if table.real is not None else 0
    shown = {"n": Cell(f"{always_na.n:,}"), "accuracy": share(always_na)}
    return shown | ({"real accuracy": share(Estimate(0.0, *wilson(0, real), real))} if real else {})


def differences(sheet: Sheet) -> Grid | None:
    """Every other row minus the first, on the same questions; None where there is one row."""
    first = sheet.rows[0].name
    test = "McNemar p" if sheet.samples == 1 else "sign-flip p"
    head = (f"minus {first}", "accuracy", test, "only here", "only there", "")
    rows = tuple(_difference_row(row) for row in sheet.rows[1:])
    return Grid(head, rows) if rows else None


def _difference_row(row: Row) -> tuple[Cell, ...]:
    beside = row.against_first
    if beside is None:
        return (Cell(row.name), _DASH, _DASH, _DASH, _DASH, Cell("no question in common"))
    return (
        Cell(row.name),
        share(beside.difference, "+"),
        Cell(f"{beside.p_value:.3f}"),
        Cell(f"{beside.only_first}"),
        Cell(f"{beside.only_second}"),
        Cell("resolved" if is_resolved(beside) else "not told apart"),
    )


def by_task(sheet: Sheet) -> Grid | None:
    """Accuracy by what is asked for; None where a benchmark has no tasks."""
    return _split(sheet, "by task", lambda table: {name or "other": each for name, each in table.by_task.items()})


def by_hops(sheet: Sheet) -> Grid | None:
    """Accuracy by the number of hops; None where none are known."""
    return _split(sheet, "by hops", lambda table: table.by_hops)


def by_level(sheet: Sheet) -> Grid | None:
    """Accuracy by GAIA's levels; None where there are none."""
    return _split(sheet, "by level", lambda table: table.by_level)


def _split(sheet: Sheet, kind: str, of: Callable[[Table], Mapping[Any, Estimate]]) -> Grid | None:
    """A row for each agent, a column for each part of the benchmark with the number of questions in it."""
    by_agent = [(row.name, of(row.table)) for row in sheet.rows]
    counts: dict[Any, int] = {}
    for _, parts in by_agent:
        for key, estimate in parts.items():
            counts[key] = max(estimate.n, counts.get(key, 0))
    if len(counts) < 2:
        return None
    columns = sorted(counts.items())
    rows = [(Cell(name), *[share(parts.get(key)) for key, _ in columns]) for name, parts in by_agent]
    return Grid((kind, *[f"{key} (n = {count:,})" for key, count in columns]), tuple(rows))


def calls(sheet: Sheet) -> Grid | None:
    """Calls an item by tool; None where no agent called one."""
    by_tool = [(row.name, row.table.costs.by_tool) for row in sheet.rows if row.table.costs is not None]
    tools = sorted({tool for _, each in by_tool for tool in each})
    rows = tuple((Cell(name), *(Cell(f"{each.get(tool, 0.0):.2f}") for tool in tools)) for name, each in by_tool)
    return Grid(("calls an item", *tools), rows) if tools else None


def verification(analyses: Sequence[tuple[str, Analysis]]) -> Grid | None:
    """Share of right answers by how often an episode looked again; None where none searched and answered."""
    counts = sorted({row.verifications for _, analysis in analyses for row in analysis.rows})
    if not counts:
        return None
    head = [f"{count}{'+' if count == MOST_TOLD_APART else ''} verified" for count in counts]
    rows = tuple(
        (
            Cell(name),
            *(_by_count(analysis, count) for count in counts),
            _difference(analysis.crude),
            _difference(analysis.stratified),
        )
        for name, analysis in analyses
        if analysis.rows
    )
    return Grid(("share right", *head, "any minus none", "at equal hops"), rows)


def _by_count(analysis: Analysis, count: int) -> Cell:
    row = next((row for row in analysis.rows if row.verifications == count), None)
    if row is None:
        return _DASH
    return Cell(f"{row.correct}/{row.episodes}", f"[{row.low:.2f}, {row.high:.2f}]")


def _difference(difference: Difference | None) -> Cell:
    if difference is None:
        return Cell("not told")
    return share(Estimate(difference.value, difference.low, difference.high, 0), "+")


def _bare(estimate: Estimate | None) -> Cell:
    return _DASH if estimate is None else Cell(f"{estimate.value:.3f}")


def _cost(table: Table, of: Callable[[Costs], float], digits: int = 2) -> Cell:
    return _DASH if table.costs is None else Cell(f"{of(table.costs):,.{digits}f}")
