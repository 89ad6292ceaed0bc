"""Charts as inline SVG text: no script, nothing fetched, colours from the page's own style sheet.

Every chart has a title and a description for readers who do not see it. Lines differ by dash as well as by colour.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

Point = tuple[float, float | None]
"""(step, value); None where the value is missing: the line breaks there."""

Band = tuple[float, float, float, float]
"""(step, value, low, high)."""

WIDTH, HEIGHT = 340, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 10, 8, 34
_LETTER = 7
"""Width of a letter of a label, at most about."""
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_COLOURS = (
    "svg{background:#fff}text{font:11px system-ui,sans-serif;fill:#59636e}.label{font-size:12.5px;fill:#1b1f24}"
    ".grid{stroke:#d5dae0}.axis-0{stroke:#59636e}.line{fill:none;stroke:#1f62c4;stroke-width:2}.bar,.dot{fill:#1f62c4}"
)


def line_chart(title: str, series: Mapping[str, Sequence[Point]], *, x: str, y: str, zero: bool = True) -> str:
    """Lines over steps. `x`, `y` name the axes with their units; `zero` keeps 0 in view."""
    drawn = {name: points for name, points in series.items() if any(value is not None for _, value in points)}
    if not drawn:
        return _nothing(title)
    steps = [step for points in drawn.values() for step, _ in points]
    values = [value for points in drawn.values() for _, value in points if value is not None]
    frame = _Frame(steps, [*values, 0.0] if zero else values)
    lines = []
    for index, points in enumerate(drawn.values()):
        style = f'class="line s{index % 6}" stroke-dasharray="{_DASHES[index % len(_DASHES)]}"'
        for piece in _unbroken(points):
            places = [(frame.x(step), frame.y(value)) for step, value in piece]
            path = " ".join(f"{left:.1f},{top:.1f}" for left, top in places)
            lines.append(f'<polyline {style} points="{path}"/>')
            if len(places) == 1:
                left, top = places[0]
                lines.append(f'<circle class="dot s{index % 6}" cx="{left:.1f}" cy="{top:.1f}" r="2.5"/>')
    described = "; ".join(_described(name, points) for name, points in drawn.items())
    return _figure(title, described, frame.axes(x) + "".join(lines), list(drawn), unit=y)


def stacked_chart(title: str, series: Mapping[str, Sequence[Point]], *, x: str, y: str) -> str:
    """Shares or durations piled up, one column a step; a missing value counts 0."""
    columns: dict[float, list[float]] = {}
    for index, points in enumerate(series.values()):
        for step, value in points:
            columns.setdefault(step, [0.0] * len(series))[index] = value or 0.0
    if not columns:
        return _nothing(title)
    frame = _Frame(list(columns), [0.0, *(sum(column) for column in columns.values())], columns=True)
    bars = []
    for step, column in sorted(columns.items()):
        base = 0.0
        for index, value in enumerate(column):
            top, bottom = frame.y(base + value), frame.y(base)
            bars.append(
                f'<rect class="bar s{index % 6}" x="{frame.x(step) - frame.column / 2:.1f}" y="{top:.1f}" '
                f'width="{frame.column:.1f}" height="{max(0.0, bottom - top):.1f}"/>'
            )
            base += value
    described = "; ".join(_described(name, points) for name, points in series.items())
    return _figure(title, described, frame.axes(x) + "".join(bars), list(series), unit=y, squares=True)


def interval_chart(
    title: str, rows: Sequence[tuple[str, float, float, float]], bounds: tuple[float, float] = (0.0, 1.0)
) -> str:
    """A dot and its 95% interval for each (label, value, low, high), values within `bounds`. A 0 inside is marked."""
    if not rows:
        return _nothing(title)
    shown = [0.0, 0.25, 0.5, 0.75, 1.0] if bounds == (0.0, 1.0) else ticks(*bounds)
    left, row_height, span = max(128, 10 + _LETTER * max(len(row[0]) for row in rows)), 22, WIDTH - 128 - 16
    height = row_height * len(rows) + 30

    def place(value: float) -> float:
        return left + span * (value - shown[0]) / (shown[-1] - shown[0])

    bottom = height - 22
    parts = [
        f'<line class="{"axis-0" if tick == 0 and tick != shown[0] else "grid"}" x1="{place(tick):.1f}" '
        f'x2="{place(tick):.1f}" y1="4" y2="{bottom}"/>'
        f'<text class="tick" x="{place(tick):.1f}" y="{height - 8}" text-anchor="middle">{tick:g}</text>'
        for tick in shown
    ]
    for index, (label, value, low, high) in enumerate(rows):
        middle = row_height * index + 16
        parts.append(
            f'<text class="label" x="{left - 10}" y="{middle + 4}" text-anchor="end">{escape(label)}</text>'
            f'<line class="line s0" x1="{place(low):.1f}" x2="{place(high):.1f}" y1="{middle}" y2="{middle}"/>'
            f'<circle class="dot s0" cx="{place(value):.1f}" cy="{middle}" r="4"/>'
        )
    described = "; ".join(f"{label} {value:.3f}, {low:.3f} to {high:.3f}" for label, value, low, high in rows)
    return _figure(title, described, "".join(parts), [], height=height, width=left + span + 16)


def band_chart(title: str, points: Sequence[Band], *, x: str, y: str) -> str:
    """A line and the band around it, values in [0, 1], so that several such charts can be compared."""
    if not points:
        return _nothing(title)
    frame = _Frame([step for step, _, _, _ in points], [0.0, 1.0])
    above = [f"{frame.x(step):.1f},{frame.y(high):.1f}" for step, _, _, high in points]
    below = [f"{frame.x(step):.1f},{frame.y(low):.1f}" for step, _, low, _ in reversed(points)]
    line = " ".join(f"{frame.x(step):.1f},{frame.y(value):.1f}" for step, value, _, _ in points)
    dots = "".join(
        f'<circle class="dot s0" cx="{frame.x(step):.1f}" cy="{frame.y(value):.1f}" r="2.5"/>'
        for step, value, _, _ in points
    )
    body = (
        f'<polygon class="bar s0" fill-opacity="0.18" points="{" ".join([*above, *below])}"/>'
        f'<polyline class="line s0" points="{line}"/>{dots}'
    )
    described = _described(title, [(step, value) for step, value, _, _ in points])
    return _figure(title, described, frame.axes(x) + body, [], unit=y)


def standalone(figure: str) -> str:
    """The picture of a figure as an SVG file of its own, with its colours; for figures without a legend."""
    picture = figure[figure.index("<svg ") :].removesuffix("</figure>")
    head, rest = picture.split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{_COLOURS}</style>{rest}\n'


def count_chart(title: str, counts: Mapping[str, int], unit: str = "questions") -> str:
    """A bar for each label, in the order given, with its count behind it."""
    if not counts:
        return _nothing(title)
    left, row_height = 150, 20
    most = max(counts.values())
    parts = []
    for index, (label, count) in enumerate(counts.items()):
        top = row_height * index + 4
        width = (WIDTH - left - 46) * count / max(most, 1)
        parts.append(
            f'<text class="label" x="{left - 8}" y="{top + 12}" text-anchor="end">{escape(label)}</text>'
            f'<rect class="bar s0" x="{left}" y="{top}" width="{width:.1f}" height="14"/>'
            f'<text class="tick" x="{left + width + 5:.1f}" y="{top + 11}">{count:,}</text>'
        )
    described = "; ".join(f"{label} {count}" for label, count in counts.items())
    return _figure(title, described, "".join(parts), [], unit=unit, height=row_height * len(counts) + 8)


class _Frame:
    """Where a point of the data goes in the picture."""

    def __init__(self, steps: Sequence[float], values: Sequence[float], *, columns: bool = False) -> None:
        self.first, self.last = min(steps), max(steps)
        if self.first == self.last or columns:
            self.first, self.last = self.first - 0.5, self.last + 0.5
        self.ticks_y = ticks(min(values), max(values))
        self.low, self.high = self.ticks_y[0], self.ticks_y[-1]
        self.steps = sorted(set(steps))
        gaps = [after - before for before, after in pairwise(self.steps)]
        self.column = 0.86 * (WIDTH - _LEFT - _RIGHT) * min(gaps, default=1.0) / (self.last - self.first)

    def x(self, step: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (step - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - self.low) / (self.high - self.low)

    def axes(self, x: str) -> str:
        parts = []
        for tick in self.ticks_y:
            at = self.y(tick)
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
                f'<text class="tick" x="{_LEFT - 5}" y="{at + 4:.1f}" text-anchor="end">{tick:g}</text>'
            )
        every = max(1, math.ceil(len(self.steps) / 8))
        for step in self.steps[::every]:
            place = f'x="{self.x(step):.1f}" y="{HEIGHT - _BOTTOM + 14}"'
            parts.append(f'<text class="tick" {place} text-anchor="middle">{step:g}</text>')
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        parts.append(f'<text class="axis" x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{escape(x)}</text>')
        return "".join(parts)


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, 1, 2 or 5 times a power of ten apart."""
    if high - low < 1e-9 * max(1.0, abs(low), abs(high)):  # as good as flat
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _unbroken(points: Sequence[Point]) -> list[list[tuple[float, float]]]:
    pieces: list[list[tuple[float, float]]] = [[]]
    for step, value in points:
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((step, value))
    return [piece for piece in pieces if piece]


def _described(name: str, points: Sequence[Point]) -> str:
    values = [value for _, value in points if value is not None]
    if not values:
        return f"{name}: no values"
    return f"{name}: from {values[0]:.3g} to {values[-1]:.3g}, lowest {min(values):.3g}, highest {max(values):.3g}"


def _figure(
    title: str,
    described: str,
    body: str,
    names: Sequence[str],
    *,
    unit: str = "",
    squares: bool = False,
    height: int = HEIGHT,
    width: int = WIDTH,
) -> str:
    keys = "".join(_key(name, index, squares) for index, name in enumerate(names)) if len(names) > 1 else ""
    legend = f'<div class="legend">{keys}</div>' if keys else ""
    return (
        f"<figure><figcaption>{escape(title)} <small>{escape(unit)}</small></figcaption>{legend}"
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f"<desc>{escape(unit)} {escape(described)}</desc>{body}</svg></figure>"
    )


def _key(name: str, index: int, square: bool) -> str:
    mark = (
        f'<rect class="bar s{index % 6}" width="12" height="10" x="5"/>'
        if square
        else f'<line class="line s{index % 6}" x1="0" x2="22" y1="5" y2="5" stroke-dasharray="{_DASHES[index % 4]}"/>'
    )
    return f'<span><svg class="key" viewBox="0 0 22 10" aria-hidden="true">{mark}</svg>{escape(name)}</span>'


def _nothing(title: str) -> str:
    return f'<figure><figcaption>{escape(title)}</figcaption><p class="quiet">Nothing was logged.</p></figure>'
