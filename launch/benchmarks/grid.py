"""A table of text, and its three forms: lines for a terminal, Markdown, HTML."""

from dataclasses import dataclass
from html import escape

from envs.benchmarks.table import Estimate

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """`more` is what a reader may skip: an interval."""

    text: str
    more: str = ""

    @property
    def line(self) -> str:
        return f"{self.text} {self.more}".rstrip()


@dataclass(frozen=True, slots=True)
class Grid:
    """A head and rows of the same length; the first column names the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def share(estimate: Estimate | None, sign: str = "") -> Cell:
    """A figure and its interval; a dash where there is none."""
    if estimate is None:
        return Cell(NOTHING)
    low, high = (f"{bound:{sign}.3f}" for bound in (estimate.low, estimate.high))
    return Cell(f"{estimate.value:{sign}.3f}", f"[{low}, {high}]")


def as_text(grid: Grid) -> str:
    """Columns under one another, the first to the left, numbers to the right."""
    lines = [grid.head, *(tuple(cell.line for cell in row) for row in grid.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            text.ljust(width) if place == 0 else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def as_markdown(grid: Grid) -> str:
    """A pipe table."""
    rule = ("---", *("---:" for _ in grid.head[1:]))
    rows = (tuple(cell.line for cell in row) for row in grid.rows)
    return "\n".join(f"| {' | '.join(map(_plain, line))} |" for line in (grid.head, rule, *rows))


def as_html(grid: Grid) -> str:
    """A table with headings for rows and columns."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in grid.head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0].line)}</th>{"".join(map(_html_cell, row[1:]))}</tr>' for row in grid.rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _html_cell(cell: Cell) -> str:
    more = f" <small>{escape(cell.more)}</small>" if cell.more else ""
    return f"<td>{escape(cell.text)}{more}</td>"


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
