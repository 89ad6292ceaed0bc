"""Tables and pages say what was measured, and what was not."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from envs.benchmarks.item import ItemSet
from envs.benchmarks.scored import Scored
from launch.benchmarks.comparison import Sheet, analysis_of, row_name, sheet
from launch.benchmarks.grid import Cell, Grid, as_html, as_markdown, as_text
from launch.benchmarks.report import as_lines, html, markdown, write_reports
from launch.benchmarks.results import scored
from launch.benchmarks.tables import differences, figures, verification
from medrl.evaluation import mcnemar, wilson
from medrl.verification import Traced, analyse
from tests.browser import browsing, needs_browser
from tests.launch.benchmarks.kept import ITEMS, SET, rollout

HOSTILE = '<script>alert("x")</script>|<img src=x onerror=alert(1)>'


def played(right: Sequence[int], samples: int = 1, items: ItemSet = SET) -> list[Scored]:
    """The items with these numbers are right; the others have another gene for an answer, every fourth none."""
    lines = []
    for number, item in enumerate(items.items):
        wrong = None if number % 4 == 3 else "BRCA2"
        for sample in range(samples):
            lines.append(scored(item, rollout(item, item.answer if number in right else wrong, sample)))
    return lines


def made(runs: Mapping[str, Sequence[Scored]], items: ItemSet = SET, samples: int = 1) -> Sheet:
    return sheet(items, samples, [(name, lines, None) for name, lines in runs.items()], 0)


def row(grid: Grid, name: str) -> dict[str, Cell]:
    found = next(row for row in grid.rows if row[0].text == name)
    return dict(zip(grid.head, found, strict=True))


def test_a_row_holds_its_figures_and_the_baseline_those_of_saying_na() -> None:
    first, second = played([0, 1, 2]), played([0, 1, 2, 4, 6, 7, 8, 9, 10])
    table = figures(made({"one": first, "two": second}))
    low, high = wilson(3, 12)
    assert row(table, "one")["accuracy"] == Cell("0.250", f"[{low:.3f}, {high:.3f}]")
    low, high = wilson(2, 9)  # of 12, items 0, 5 and 10 have NA for an answer
    assert row(table, "one")["real accuracy"] == Cell("0.222", f"[{low:.3f}, {high:.3f}]")
    assert row(table, "two")["accuracy"].text == "0.750"
    assert row(table, "one")["tool calls"].text == "1.00" and row(table, "one")["s/item"].text == "2.0"
    baseline = row(table, "says NA to everything")
    low, high = wilson(3, 12)
    assert baseline["accuracy"] == Cell("0.250", f"[{low:.3f}, {high:.3f}]")
    assert baseline["real accuracy"].text == "0.000" and baseline["tool calls"].text == "–"
    assert baseline["unknown"].text == "–"  # NA is wrong where it is offered, and says nothing where it is not


def test_a_difference_is_resolved_or_not_told_apart() -> None:
    first, same, better = played([0, 1, 2]), played([0, 1, 3]), played(range(12))
    table = differences(made({"one": first, "same": same, "better": better}))
    assert table is not None and [cells[0].text for cells in table.rows] == ["same", "better"]
    same_row, better_row = (dict(zip(table.head, cells, strict=True)) for cells in table.rows)
    assert same_row["accuracy"].text == "+0.000" and same_row[""].text == "not told apart"
    assert (same_row["only here"].text, same_row["only there"].text) == ("1", "1")
    assert better_row["accuracy"].text == "+0.750" and better_row[""].text == "resolved"
    p_value = mcnemar([True] * 12, [number in (0, 1, 2) for number in range(12)])
    assert better_row["McNemar p"].text == f"{p_value:.3f}"
    assert differences(made({"one": first})) is None


def test_few_questions_that_differ_resolve_nothing() -> None:
    """A bootstrap's interval leaves out 0 if four of twelve differ, all one way; the exact test has p = 1/8."""
    table = differences(made({"one": played([]), "four": played([1, 2, 4, 6]), "seven": played(range(8))}))
    assert table is not None
    four, seven = (dict(zip(table.head, cells, strict=True)) for cells in table.rows)
    assert "[+0.0" in four["accuracy"].more and four["McNemar p"].text == "0.125" and four[""].text == "not told apart"
    assert seven["McNemar p"].text == "0.008" and seven[""].text == "resolved"


def test_what_was_not_played_is_counted_and_is_not_wrong() -> None:
    whole, part = played(range(12)), played(range(12))[:5]
    table = figures(made({"whole": whole, "part": part}))
    assert row(table, "part")["accuracy"].text == "1.000"
    assert (row(table, "part")["n"].text, row(table, "part")["not played"].text) == ("5", "7")
    assert row(table, "whole")["not played"].text == "0"
    nothing = made({"whole": whole, "none": []})
    assert row(figures(nothing), "none")["accuracy"].text == "–"
    assert "no question in common" in as_lines([nothing])
    assert "nothing was played yet" in html("x", [made({"none": []})], ())


def test_pass_at_k_where_there_are_samples() -> None:
    table = figures(made({"one": played([0, 1, 2], samples=2)}, samples=2))
    assert row(table, "one")["pass@2"].text == "0.250"
    assert "pass@2" not in figures(made({"one": played([0])})).head


def test_text_and_markdown_hold_the_same_cells() -> None:
    grid = Grid(("", "a|b"), ((Cell("x"), Cell("1", "[0, 2]")), (Cell("longer"), Cell("–"))))
    assert as_text(grid) == "             a|b\nx       1 [0, 2]\nlonger         –"
    assert as_markdown(grid) == "|  | a\\|b |\n| --- | ---: |\n| x | 1 [0, 2] |\n| longer | – |"
    assert "<td>1 <small>[0, 2]</small></td>" in as_html(grid)


def test_who_is_missing_is_said_wherever_the_table_stands() -> None:
    shown = sheet(SET, 1, [("one", played([1]), None)], 0, ["gone, all tools", "gone, no tools"])
    said = "Not here, as it was not played to the end: gone, all tools; gone, no tools."
    for text in (as_lines([shown]), markdown("x", [shown], ()), html("x", [shown], ())):
        assert said in text
    assert "Not here" not in as_lines([made({"one": played([1])})])


def test_names_of_rows() -> None:
    assert row_name("rl", "all") == "SFT + RL, all tools"
    assert row_name("m", "none") == "m, no tools"
    assert row_name("base", "document_read+web_search") == "Base, document_read + web_search"


def test_hostile_text_is_text(tmp_path: Path) -> None:
    items = replace(SET, items=tuple(replace(item, task=HOSTILE + item.task) for item in ITEMS))
    shown = made({HOSTILE: played([1], items=items), "two": played([2], items=items)}, items)
    page = html("x", [shown], ())
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page
    assert "\\|<img" in markdown("x", [shown], ())


def looked_again() -> Sheet:
    """Twelve episodes, of which those that looked twice are right."""
    episodes = [rollout(item, item.answer if n % 2 else "BRCA2", calls=1 + n % 2) for n, item in enumerate(ITEMS)]
    lines = [scored(item, each) for item, each in zip(ITEMS, episodes, strict=True)]
    analysis = analysis_of(ITEMS, episodes, lines)
    return sheet(SET, 1, [("one", lines, analysis), ("two", played([1, 2]), None)], 0)


def test_the_analysis_stands_in_the_report_and_says_that_it_is_correlation() -> None:
    shown = looked_again()
    assert shown.rows[0].analysis is not None
    table = verification([("one", shown.rows[0].analysis)])
    assert table is not None
    cells = dict(zip(table.head, table.rows[0], strict=True))
    assert cells["0 verified"].text == "0/6" and cells["1 verified"].text == "6/6"
    assert cells["any minus none"].text == "+1.000"
    text = markdown("x", [shown], [("RL", analyse([Traced(2, 1, True)]))])
    assert "This is correlation" in text and "The run's held-out questions" in text and "1/1 [0.21, 1.00]" in text
    assert verification([]) is None


@needs_browser
def test_the_page_reads_well_in_a_browser(tmp_path: Path) -> None:
    tools = ("all", "none", "medical_retriever", "web_search")
    names = [row_name(agent, each) for agent in ("base", "sft", "rl") for each in tools]
    runs = {name: played(range(number)) for number, name in enumerate(names)}
    compared = replace(made(runs), name="heldout")
    page_file = write_reports(tmp_path, "my-run", [looked_again(), compared], ())
    for scheme in ("light", "dark"):
        with browsing() as page:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_content(page_file.read_text(encoding="utf-8"))
            assert page.locator("h2").all_inner_texts() == ["made-up", "heldout", "Search, verify, synthesise"]
            assert page.locator("table").first.locator("tbody tr").count() == 3
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0
            for chart in page.locator("svg[role=img]").all():  # no label leaves its picture
                box = chart.bounding_box()
                assert box is not None
                for label in chart.locator("text.label").all():
                    at = label.bounding_box()
                    assert at is not None and at["x"] >= box["x"] - 1
            page.screenshot(path=str(tmp_path / f"{scheme}.png"), full_page=True)
    shown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert re.search(r"^\| SFT \+ RL, WebSearch only \| 12 \|", shown, re.M)
