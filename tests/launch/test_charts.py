from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch.charts import HEIGHT, WIDTH, band_chart, interval_chart, line_chart, stacked_chart, standalone, ticks

VALUES = st.floats(-1e6, 1e6)


def svg(figure: str) -> ElementTree.Element:
    found = ElementTree.fromstring(figure).findall("svg")
    return found[-1]


def points(line: ElementTree.Element) -> list[tuple[float, float]]:
    pairs = [pair.split(",") for pair in line.attrib["points"].split()]
    return [(float(x), float(y)) for x, y in pairs]


@given(st.tuples(VALUES, VALUES).map(sorted))
def test_ticks_are_round_and_enclose_the_data(bounds: list[float]) -> None:
    low, high = bounds
    found = ticks(low, high)
    slack = 1e-6 * max(1e-9, high - low)
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert 2 <= len(found) <= 7


@pytest.mark.parametrize(("bounds", "expected"), [((0, 1), [0, 0.5, 1]), ((0, 0.73), [0, 0.2, 0.4, 0.6, 0.8])])
def test_ticks_by_hand(bounds: tuple[float, float], expected: list[float]) -> None:
    assert ticks(*bounds) == expected


def test_a_line_goes_up_where_its_values_do_and_breaks_where_they_are_missing() -> None:
    chart = svg(line_chart("t", {"a": [(0, 1.0), (1, 2.0), (2, None), (3, 0.5), (4, 4.0)]}, x="step", y="u"))
    first, second = (points(line) for line in chart.findall("polyline"))
    assert first[1][1] < first[0][1]  # a larger value is higher up, and y grows downwards
    assert second[1] == (WIDTH - 10, 8)  # the last step and the greatest value: the corner of the frame
    assert len(first) == len(second) == 2


def test_stacked_heights_are_in_proportion() -> None:
    chart = svg(stacked_chart("t", {"a": [(0, 1.0), (1, 2.0)], "b": [(0, 3.0)]}, x="step", y="s"))
    heights = [float(bar.attrib["height"]) for bar in chart.findall("rect")]
    a0, b0, a1, b1 = heights
    assert b0 == pytest.approx(3 * a0, abs=0.2)
    assert a1 == pytest.approx(2 * a0, abs=0.2)
    assert b1 == 0.0


@given(st.lists(st.tuples(st.integers(0, 50), st.none() | VALUES), max_size=12, unique_by=lambda point: point[0]))
def test_whatever_is_logged_stays_in_the_picture(data: list[tuple[float, float | None]]) -> None:
    figure = line_chart("t", {"a": sorted(data)}, x="step", y="u")
    if all(value is None for _, value in data):
        assert "Nothing was logged" in figure
        return
    for line in svg(figure).findall("polyline"):
        assert all(-0.1 <= x <= WIDTH + 0.1 and -0.1 <= y <= HEIGHT + 0.1 for x, y in points(line))


def test_names_are_escaped_and_described() -> None:
    figure = interval_chart("a < b", [("<i>", 0.5, 0.4, 0.6)])
    chart = svg(figure)
    assert chart.attrib["aria-label"] == "a < b"
    assert "<i> 0.500, 0.400 to 0.600" in (chart.findtext("desc") or "")


def test_intervals_of_differences_are_placed_around_a_marked_zero() -> None:
    chart = svg(interval_chart("t", [("worse", -0.3, -0.5, -0.1), ("better", 0.2, 0.1, 0.3)], (-0.5, 0.3)))
    (zero,) = [float(line.attrib["x1"]) for line in chart.findall("line") if line.attrib["class"] == "axis-0"]
    worse, better = (float(dot.attrib["cx"]) for dot in chart.findall("circle"))
    assert worse < zero < better
    assert zero - worse == pytest.approx(1.5 * (better - zero), abs=0.2)
    assert not [
        line for line in svg(interval_chart("t", [("a", 0.5, 0.4, 0.6)])).findall("line") if "axis" in str(line)
    ]


def test_a_band_lies_around_its_line() -> None:
    chart = svg(band_chart("t", [(0, 0.5, 0.4, 0.7), (1, 0.6, 0.6, 0.8)], x="step", y="u"))
    (polygon,), (line,) = chart.findall("polygon"), chart.findall("polyline")
    high0, high1, low1, low0 = points(polygon)
    mid0, mid1 = points(line)
    assert high0[1] < mid0[1] < low0[1] and high1[1] < mid1[1] == low1[1]
    assert mid0[1] - high0[1] == pytest.approx(2 * (low0[1] - mid0[1]), abs=0.2)
    assert "Nothing was logged" in band_chart("t", [], x="step", y="u")


def test_a_figure_becomes_a_file_of_its_own() -> None:
    figure = interval_chart("a < b", [("<i>", 0.5, 0.4, 0.6)])
    alone = ElementTree.fromstring(standalone(figure))
    assert alone.tag == "{http://www.w3.org/2000/svg}svg" and len(alone.findall("{*}circle")) == 1
    assert "fill:#1f62c4" in (alone.findtext("{*}style") or "")
