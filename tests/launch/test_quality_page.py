import re
from dataclasses import replace

from kisa.quality import Gate, QualityReport
from launch.charts import count_chart
from launch.quality_page import examples, render_quality, summary_lines
from tests import fakes
from tests.launch.sample_run import HOSTILE, question
from tests.launch.test_report import Page

GATES = (
    Gate("answer unique", 1.0, 1.0, True, 3),
    Gate("leaks", 2.0, 0.0, False, 3, {"q7": f"the text names {HOSTILE}"}),
)
MADE = {
    "questions": 3,
    "trajectories": 2,
    "tool_calls_mean": 4.2,
    "hops": {"2": 1, "3": 2},
    "specialties": {HOSTILE: 3},
    "answers": {"gene": 3},
    "branches": {},
    "tool_calls": {"4": 2},
    "tools": {"medical_retriever": 8},
}


def test_the_page_says_what_failed_and_escapes_what_it_shows() -> None:
    questions = [replace(question(number), text=f"{HOSTILE} {number}") for number in range(3)]
    page = Page(render_quality(HOSTILE, QualityReport(GATES, MADE), questions))
    assert "Failed: leaks." in page.text and "q7" in page.text and "4.20 tool calls" in page.text
    assert page.text.count("✓ yes") == 1 and page.text.count("✗ no") == 1
    assert "script" not in page.tags


def test_the_lines_say_the_same() -> None:
    first, second = summary_lines(QualityReport(GATES, MADE)).splitlines()
    assert first.startswith("passed") and first.endswith(">= 1      answer unique")
    assert second.startswith("FAILED") and second.endswith("<= 0      leaks")


def test_examples_are_two_of_each_length() -> None:
    questions = [fakes.question(id=str(number), hops=2 + number % 3) for number in range(12)]
    assert [question.id for question in examples(questions)] == ["0", "3", "1", "4", "2", "5"]


def test_bars_are_in_proportion_to_their_counts() -> None:
    chart = count_chart("t", {"a": 10, "b": 5})
    long, short = (float(each) for each in re.findall(r'<rect class="bar s0"[^>]* width="([\d.]+)"', chart))
    assert abs(long - 2 * short) < 0.2
    assert "Nothing" in count_chart("t", {})
