import re
from dataclasses import replace
from pathlib import Path

import pytest

from kisa.gates import Gate, QualityReport
from launch.charts import count_chart
from launch.quality_page import examples, quality_reminder, render_quality, summary_lines
from medrl.errors import DataError
from medrl.records import write_json
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
    "tasks": {"genetics": 3},
    "corruption": {
        "outputs": 80,
        "corrupted": 4,
        "kinds": {"cut": 3, "error_page": 1},
        "by_the_same_call": 2,
        "by_another_call": 1,
        "share": 0.05,
        "recovered": 0.75,
    },
    "habits": {
        "guided": {"episodes": 7, "medical_first": 0.875, "switching": 0.0, "recovery": 0.0},
        "paper": {"medical_first": 0.78, "switching": 0.42, "recovery": 0.34},
    },
}


def test_the_page_says_what_failed_and_escapes_what_it_shows() -> None:
    questions = [replace(question(number), text=f"{HOSTILE} {number}") for number in range(3)]
    page = Page(render_quality(HOSTILE, QualityReport(GATES, MADE), questions))
    assert "Failed: leaks." in page.text and "q7" in page.text and "4.20 tool calls" in page.text
    assert "7 guided" in page.text and "88%" in page.text and "34%" in page.text
    assert "Of 80 outputs of tools 4 (5.0%) were spoilt on purpose (3 cut, 1 error page); from 75%" in page.text
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


def test_the_reminder_repeats_the_verdict(tmp_path: Path) -> None:
    write_json(tmp_path / "quality.json", QualityReport(GATES, MADE).as_json())
    assert quality_reminder(tmp_path).splitlines()[0] == "quality: FAILED: leaks"
    write_json(tmp_path / "quality.json", QualityReport(GATES[:1], MADE).as_json())
    assert quality_reminder(tmp_path).startswith("quality: all 1 gates passed")
    (tmp_path / "quality.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="unreadable"):
        quality_reminder(tmp_path)
