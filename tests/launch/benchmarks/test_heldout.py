"""The run's own held-out episodes are looked at, too."""

from pathlib import Path

import pytest

from launch.benchmarks.heldout import heldout_analyses
from medrl.config import parse
from medrl.errors import DataError
from tests.launch.sample_run import write_sample_run


def test_of_each_model_that_has_episodes(tmp_path: Path) -> None:
    config = parse({"name": "x", "run_dir": str(tmp_path), "eval": {"bootstrap": 50}}, "test")
    assert heldout_analyses(config) == []
    write_sample_run(tmp_path, num_questions=24)
    found = dict(heldout_analyses(config))
    assert list(found) == ["SFT", "SFT + RL"]
    # every episode searched and answered; every second one of RL is right, every third of SFT
    assert [sum(row.episodes for row in each.rows) for each in found.values()] == [24, 24]
    assert [sum(row.correct for row in each.rows) for each in found.values()] == [8, 12]


def test_an_episode_of_no_question_is_named(tmp_path: Path) -> None:
    config = parse({"name": "x", "run_dir": str(tmp_path)}, "test")
    write_sample_run(tmp_path, num_questions=3)
    lines = (tmp_path / "data" / "questions.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "data" / "questions.jsonl").write_text("".join(lines[:2]))
    with pytest.raises(DataError, match="question q002 has episodes, but is not in the run's data"):
        heldout_analyses(config)
