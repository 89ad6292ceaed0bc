import json
from pathlib import Path

from launch.web.metrics_tail import MOST_LINES, MetricsTail
from tests.launch.web.live_run import log_step


def test_only_new_lines_travel(tmp_path: Path) -> None:
    metrics = MetricsTail(tmp_path)
    assert metrics.since(0, 0) == {"generation": 0, "from": 0, "lines": [], "more": False}
    log_step(tmp_path, 0, 0.25)
    log_step(tmp_path, 1, 0.5)
    assert [line["step"] for line in metrics.since(0, 0)["lines"]] == [0, 1]
    log_step(tmp_path, 2, 0.75)
    answer = metrics.since(0, 2)
    assert (answer["from"], [line["rollout/pass_rate"] for line in answer["lines"]]) == (2, [0.75])
    assert metrics.since(0, 3)["lines"] == []


def test_half_a_line_is_left_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    text = json.dumps({"stage": "sft", "step": 0, "time": 1.0, "sft/loss": 2.0}) + "\n"
    path.write_text(text[:30])
    metrics = MetricsTail(tmp_path)
    assert metrics.since(0, 0)["lines"] == [] and metrics.problems == []
    path.write_text(text)
    assert [line["sft/loss"] for line in metrics.since(0, 0)["lines"]] == [2.0]


def test_a_replaced_file_is_sent_whole(tmp_path: Path) -> None:
    log_step(tmp_path, 0, 0.25)
    log_step(tmp_path, 1, 0.5)
    metrics = MetricsTail(tmp_path)
    metrics.since(0, 0)
    (tmp_path / "metrics.jsonl").unlink()
    log_step(tmp_path, 0, 0.125)
    answer = metrics.since(0, 2)
    assert (answer["generation"], answer["from"]) == (1, 0)
    assert [line["rollout/pass_rate"] for line in answer["lines"]] == [0.125]


def test_bad_lines_are_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(
        b'{"stage": "sft", "step": 0, "time": 1.5, "x": null}\n{"stage": "sft"}\nnot json\n[1]\n'
        b'{"stage": 1, "step": 2}\n'
        b'{"stage": "sft", "step": 1, "x": NaN}\n\xff\n'
    )
    metrics = MetricsTail(tmp_path)
    assert metrics.since(0, 0)["lines"] == [{"stage": "sft", "step": 0, "time": 1.5, "x": None}]
    assert [problem.line for problem in metrics.problems] == [2, 3, 4, 5, 6, 7]
    assert "'step' is missing" in metrics.problems[0].message
    assert "NaN" in metrics.problems[4].message


def test_a_line_without_a_time_is_no_line(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"stage":"sft","step":0}\n{"stage":"sft","step":0,"time":"noon"}\n')
    metrics = MetricsTail(tmp_path)
    assert metrics.since(0, 0)["lines"] == []
    assert [(each.line, "time" in each.message) for each in metrics.problems] == [(1, True), (2, True)]


def test_long_files_travel_in_pieces(tmp_path: Path) -> None:
    lines = [json.dumps({"stage": "grpo", "step": step, "time": 1.5}) + "\n" for step in range(MOST_LINES + 5)]
    (tmp_path / "metrics.jsonl").write_text("".join(lines))
    metrics = MetricsTail(tmp_path)
    first = metrics.since(0, 0)
    assert first["more"] and len(first["lines"]) == MOST_LINES
    rest = metrics.since(0, MOST_LINES)
    assert not rest["more"] and [line["step"] for line in rest["lines"]] == list(range(MOST_LINES, MOST_LINES + 5))
