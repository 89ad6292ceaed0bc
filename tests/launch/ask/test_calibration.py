import dataclasses
from pathlib import Path

import pytest

from launch.ask.calibration import Calibration, calibrate, read_calibration
from medrl.evaluation import wilson
from medrl.records import write_jsonl
from medrl.types import Reward, Rollout
from tests.launch.sample_run import question, rollout

GREEDY, SAMPLED = [True, False, True, True], [[True, True], [False, True], [False, False], [True, False]]


def episode(index: int, passed: bool) -> Rollout:
    asked = question(index)
    made = rollout(asked, passed=passed, calls=1)
    return dataclasses.replace(made, reward=Reward(float(passed), float(passed), 0.0, 0.0))


def evaluated(run: Path) -> Path:
    write_jsonl(run / "trajectories" / "rl.jsonl", [episode(n, passed) for n, passed in enumerate(GREEDY)])
    sampled = [episode(n, passed) for n, each in enumerate(SAMPLED) for passed in each]
    write_jsonl(run / "trajectories" / "rl-sampled.jsonl", sampled)
    return run


def test_held_out_questions_are_counted_by_agreement(tmp_path: Path) -> None:
    found = read_calibration(evaluated(tmp_path), "rl", 1.0)
    # (right, right, right): 3 votes, right. (no, no, right): 2, wrong. (right, no, no): 2, wrong; a wrong answer is
    # BRCA2 each time. (right, right, no): 2, right.
    assert found == Calibration(3, 1.0, {2: (1, 3), 3: (1, 1)})
    told = found.of(["GLA", "GLA", "TTN", "TTN", "TTN"], 1.0, "GLA")
    assert told is not None and (told.right, told.n, told.low, told.high) == (1, 3, *wilson(1, 3))
    assert told.words(5) == (
        "How far to trust that: held-out questions are ones that were made like the training questions and kept out of "
        "training. The evaluation played 3 samples of each, so the first 3 of these 5 are compared: 2 of them give the "
        "same answer. Where that was so on held-out questions, this agent was right in 0.33 of them "
        "(95% interval 0.06 to 0.79, n=3)."
    )
    assert "played 3 samples of each, as here: 2 of them give" in told.words(3)
    assert "no two of them give the same answer" in dataclasses.replace(told, votes=1).words(3)


def test_without_samples_nothing_is_said(tmp_path: Path) -> None:
    assert read_calibration(tmp_path, "rl", 1.0) is None
    evaluated(tmp_path)
    (tmp_path / "trajectories" / "rl-sampled.jsonl").unlink()
    assert read_calibration(tmp_path, "rl", 1.0) is None
    assert calibrate([[("a", True)], [("a", True), ("b", False)]], 1.0) is None
    assert calibrate([], 1.0) is None


@pytest.mark.parametrize("answers", [["GLA", "GLA"], ["GLA", "TTN", "FBN1"]])
def test_what_did_not_occur_is_not_guessed(answers: list[str], tmp_path: Path) -> None:
    found = read_calibration(evaluated(tmp_path), "rl", 1.0)
    assert found is not None and found.of(answers, 1.0, "GLA") is None
