"""report.md and report.html of a run's benchmarks: the same tables, and charts on the page."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from launch.benchmarks.comparison import Sheet, is_resolved
from launch.benchmarks.grid import Grid, as_html, as_markdown, as_text
from launch.benchmarks.tables import ALWAYS_NA, by_hops, by_level, by_task, calls, differences, figures, num_na
from launch.benchmarks.tables import verification as verification_grid
from launch.charts import interval_chart
from launch.page import render_page
from medrl.records import write_text
from medrl.verification import FEWEST, Analysis

_INTERVALS = (
    "In brackets: 95% intervals, Wilson's for shares of questions by the first sample of each, a bootstrap over "
    "questions for the rest. An answer that is neither right nor wrong is unknown. Tokens are those of the agent's own "
    "turns."
)
_PAIRED = (
    "On the questions that both have played. A difference is resolved if its interval (paired bootstrap over "
    "questions) leaves out 0 and p is below 0.05. p is exact: McNemar's, or, of several samples a question, that of "
    "the sign-flip test, of which McNemar's is a case. Each row is looked at by itself: of twenty rows one will seem "
    "resolved by chance."
)
_LOOKED_AGAIN = (
    "A call verifies if it looks again, by another query, tool or document, at the answer that is given later, or at "
    "an entity that an earlier call had asked about and found. Counted are episodes that searched and then answered. "
    "This is correlation: nobody made an agent verify, and what makes it look again may be what makes it right or "
    f"wrong. “At equal hops” compares within questions of the same number of hops only. With fewer than {FEWEST} "
    "episodes of either kind, the same outcome in all, or hops that nobody knows, no difference is told."
)


def as_lines(sheets: Sequence[Sheet]) -> str:
    """What a terminal shows: the figures, and the differences."""
    blocks = []
    for sheet in sheets:
        blocks += [described(sheet), as_text(figures(sheet))]
        if (beside := differences(sheet)) is not None:
            blocks.append(as_text(beside))
    return "\n\n".join(blocks)


def write_reports(
    folder: Path, name: str, sheets: Sequence[Sheet], heldout: Sequence[tuple[str, Analysis]] = ()
) -> Path:
    """Write both below `folder`; returns the page. `heldout`: analyses of the run's own held-out episodes."""
    write_text(folder / "report.md", markdown(name, sheets, heldout))
    page = folder / "report.html"
    write_text(page, html(name, sheets, heldout))
    return page


def markdown(name: str, sheets: Sequence[Sheet], heldout: Sequence[tuple[str, Analysis]]) -> str:
    """The report as text."""
    parts = [f"# {name}: benchmarks", _INTERVALS]
    for sheet in sheets:
        parts += [f"## {sheet.name}", described(sheet), as_markdown(figures(sheet))]
        if (beside := differences(sheet)) is not None:
            parts += ["### Differences", _PAIRED, as_markdown(beside)]
        parts += [f"### {title}\n\n{as_markdown(grid)}" for title, grid in _splits(sheet)]
    looked = _analyses(sheets, heldout)
    if looked:
        parts += ["## Search, verify, synthesise", _LOOKED_AGAIN]
        parts += [f"### {title}\n\n{as_markdown(grid)}" for title, grid in looked]
    return "\n\n".join(parts) + "\n"


def html(name: str, sheets: Sequence[Sheet], heldout: Sequence[tuple[str, Analysis]]) -> str:
    """The report as one page."""
    parts = [f"<h1>{escape(name)}: benchmarks</h1>", *map(_lead, sheets), f'<p class="quiet">{escape(_INTERVALS)}</p>']
    for sheet in sheets:
        parts += [f"<h2>{escape(sheet.name)}</h2>", f'<p class="quiet">{escape(described(sheet))}</p>']
        parts += [as_html(figures(sheet)), f'<div class="charts wide">{_charts(sheet)}</div>']
        if (beside := differences(sheet)) is not None:
            parts += [_heading("Differences"), f'<p class="quiet">{escape(_PAIRED)}</p>', as_html(beside)]
        parts += [_heading(title) + as_html(grid) for title, grid in _splits(sheet)]
    looked = _analyses(sheets, heldout)
    if looked:
        parts += ["<h2>Search, verify, synthesise</h2>", f'<p class="quiet">{escape(_LOOKED_AGAIN)}</p>']
        parts += [_heading(title) + as_html(grid) for title, grid in looked]
    return render_page(f"{name}: benchmarks", "".join(parts))


def described(sheet: Sheet) -> str:
    """What was asked, and of whom nothing is shown, in a line."""
    asked, absent = len(sheet.items.items), num_na(sheet)
    said = f"{sheet.name}: {asked:,} questions"
    said += f", {absent:,} of them with NA for an answer" if absent else ""
    said += f"; {sheet.samples} samples of each" if sheet.samples > 1 else ""
    left_out = "; ".join(f"{count:,} left out: {reason}" for reason, count in sheet.items.left_out.items())
    said = f"{said}; {left_out}." if left_out else f"{said}."
    return f"{said} Not here, as it was not played to the end: {'; '.join(sheet.absent)}." if sheet.absent else said


def _lead(sheet: Sheet) -> str:
    """The verdict on a benchmark in a line."""
    told = [row for row in sheet.rows[1:] if row.against_first is not None and is_resolved(row.against_first)]
    shares = {row.name: row.table.accuracy.value for row in sheet.rows if row.table.accuracy is not None}
    if not shares:
        return f'<p class="lead">{escape(sheet.name)}: nothing was played yet.</p>'
    best = max(shares, key=lambda name: shares[name])
    said = f"{sheet.name}: {best} has {shares[best]:.3f} of the questions right"
    if len(sheet.rows) > 1:
        said += f"; {len(told)} of {len(sheet.rows) - 1} other rows are told apart from {sheet.rows[0].name}"
    return f'<p class="lead">{escape(said)}.</p>'


def _charts(sheet: Sheet) -> str:
    shares = [(row.name, row.table.accuracy) for row in sheet.rows]
    if num_na(sheet):
        shares.append((ALWAYS_NA, sheet.rows[0].table.always_na))
    drawn = [(name, each.value, each.low, each.high) for name, each in shares if each is not None]
    charts = [interval_chart("Share of questions answered correctly", drawn)]
    beside = [(row.name, row.against_first.difference) for row in sheet.rows[1:] if row.against_first is not None]
    if beside:
        apart = [(name, each.value, each.low, each.high) for name, each in beside]
        furthest = max(0.1, *(abs(bound) for _, _, *bounds in apart for bound in bounds))
        bound = next(each for each in (0.1, 0.2, 0.4, 1.0) if furthest <= each)
        charts.append(interval_chart(f"Minus {sheet.rows[0].name}", apart, (-bound, bound)))
    return "".join(charts)


def _splits(sheet: Sheet) -> list[tuple[str, Grid]]:
    grids = {
        "By task": by_task(sheet),
        "By hops": by_hops(sheet),
        "By level": by_level(sheet),
        "Calls by tool": calls(sheet),
    }
    return [(title, grid) for title, grid in grids.items() if grid is not None]


def _analyses(sheets: Sequence[Sheet], heldout: Sequence[tuple[str, Analysis]]) -> list[tuple[str, Grid]]:
    """A table for each benchmark in which somebody searched and answered, and for the held-out episodes of the run."""
    grids = {
        sheet.name: verification_grid([(row.name, row.analysis) for row in sheet.rows if row.analysis is not None])
        for sheet in sheets
    }
    grids["The run's held-out questions"] = verification_grid(heldout)
    return [(title, grid) for title, grid in grids.items() if grid is not None]


def _heading(text: str) -> str:
    return f'<h3 class="part">{escape(text)}</h3>'
