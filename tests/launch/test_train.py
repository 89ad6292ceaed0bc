import pytest

from launch.train import train_samples
from medrl.config import GRPOConfig
from medrl.types import Ending, Question, Reward, Rollout, RolloutGroup
from tests import fakes


def group(question: Question, *totals: float) -> RolloutGroup:
    rollouts = (
        Rollout(
            question_id=question.id,
            sample=sample,
            token_ids=[1, 2, 3],
            action_mask=[False, True, True],
            logprobs=[0.0, -1.0, -1.0],
            versions=[0, 0, 0],
            steps=[],
            ending=Ending.ANSWERED,
            answer="x",
            duration_s=0.0,
            generate_s=0.0,
            tools_s=0.0,
            reward=Reward(total, total, 0.0, 0.0),
        )
        for sample, total in enumerate(totals)
    )
    return RolloutGroup(question, tuple(rollouts))


def test_the_kept_episodes_are_compared_with_their_whole_group() -> None:
    groups = [group(fakes.question(), 0.0, 0.0, 1.0, 0.0), group(fakes.question(), 0.5, 0.5, 0.5, 0.5)]
    every = [sample.advantage for sample in train_samples(groups, GRPOConfig(group_size=4))]
    assert every == pytest.approx([-0.25, -0.25, 0.75, -0.25, 0.0, 0.0, 0.0, 0.0])
    kept = [sample.advantage for sample in train_samples(groups, GRPOConfig(group_size=4, train_per_group=2))]
    assert sorted(kept[:2]) == pytest.approx([-0.25, 0.75]) and kept[2:] == [0.0, 0.0]
