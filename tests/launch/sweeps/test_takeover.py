from pathlib import Path

import pytest

from launch.sweeps.jobs import DATA
from launch.sweeps.takeover import take_over
from medrl.errors import DataError
from medrl.experts import EXPERT_FILE
from medrl.records import read_jsonl, write_json
from medrl.sections.episodes import RewardConfig
from medrl.types import Rollout
from tests.launch.sample_run import write_sample_run

STAGES = ("knowledge", "data", "eval_base", "sft", "eval_sft")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    run = write_sample_run(tmp_path / "source", num_questions=4)
    (run / "checkpoints" / "sft").mkdir(parents=True)
    (run / "checkpoints" / "sft" / "model.safetensors").write_bytes(b"weights")
    write_json(run / "stages.json", {stage: {"wall_s": 1.0} for stage in (*STAGES, "grpo")})
    return run


def test_what_was_finished_is_there_and_no_more(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    take_over(source, STAGES, target, RewardConfig(task=1.0, expert=0.5, efficiency=0.0))
    weights = target / "checkpoints" / "sft" / "model.safetensors"
    assert weights.read_bytes() == b"weights" and weights.stat().st_nlink == 2
    assert (target / "data" / "questions.jsonl").read_bytes() == (source / "data" / "questions.jsonl").read_bytes()
    assert '"grpo"' not in (target / "stages.json").read_text()
    assert not (target / "config.yaml").exists()


def test_rewards_are_added_up_by_the_target_s_weights(source: Path, tmp_path: Path) -> None:
    take_over(source, STAGES, tmp_path / "target", RewardConfig(task=1.0, expert=0.5, efficiency=0.0))
    for rollout in read_jsonl(tmp_path / "target" / "trajectories" / "sft.jsonl", Rollout):
        assert rollout.reward is not None
        assert rollout.reward.total == rollout.reward.task + 0.5 * rollout.reward.expert
    before = next(read_jsonl(source / "trajectories" / "sft.jsonl", Rollout)).reward
    assert before is not None and before.total == before.task + 0.2 * before.expert - 0.1 * before.efficiency


def test_metrics_can_be_appended_to_without_changing_the_source_s(source: Path, tmp_path: Path) -> None:
    take_over(source, STAGES, tmp_path / "target", RewardConfig())
    before = (source / "metrics.jsonl").read_bytes()
    with (tmp_path / "target" / "metrics.jsonl").open("a") as file:
        file.write("more\n")
    assert (source / "metrics.jsonl").read_bytes() == before


def test_what_is_under_way_is_left_alone_and_what_broke_off_is_begun_again(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "data").mkdir(parents=True)
    (target / "data" / "half").write_text("of an attempt that was killed")
    take_over(source, STAGES, target, RewardConfig())
    assert not (target / "data" / "half").exists()
    (target / "data" / "own").write_text("")
    take_over(source, STAGES, target, RewardConfig())
    assert (target / "data" / "own").exists()


def test_what_was_learnt_from_ratings_goes_along_with_fine_tuning(source: Path, tmp_path: Path) -> None:
    """Synthesis is shared by trials of other ratings, too."""
    (source / EXPERT_FILE).write_text("learnt")
    take_over(source, STAGES, tmp_path / "tuned", RewardConfig())
    take_over(source, [stage for stage in STAGES if stage in DATA], tmp_path / "asked", RewardConfig())
    assert (tmp_path / "tuned" / EXPERT_FILE).read_text() == "learnt"
    assert not (tmp_path / "asked" / EXPERT_FILE).exists()


def test_an_unfinished_source_is_refused(source: Path, tmp_path: Path) -> None:
    write_json(source / "stages.json", {"knowledge": {}})
    with pytest.raises(DataError, match="stage data is not done"):
        take_over(source, STAGES, tmp_path / "target", RewardConfig())
    assert not (tmp_path / "target" / "stages.json").exists()
