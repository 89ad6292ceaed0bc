"""What the reward actor does with an episode, without Ray."""

import pytest

from actors.reward import _scored, rate
from medrl.errors import InfrastructureError
from medrl.rewards import wasteful
from medrl.sections.episodes import RewardConfig
from medrl.types import Question, Reward, Rollout, RolloutGroup
from tests.medrl.episodes import FIND_DISEASE, FIND_GENE, TWO_HOPS, episode, final

EPISODES = tuple(episode(FIND_DISEASE, FIND_GENE, final(answer), sample=n) for n, answer in enumerate(("FBN1", "ATM")))


def judge_that_is_down_for(sample: int) -> object:
    def expert(question: Question, rollout: Rollout) -> float:
        if rollout.sample == sample:
            raise InfrastructureError("judge expert: HTTP status 503 (3 attempts)")
        return 0.5

    return expert


@pytest.mark.contract("7 four kinds of failure", "an episode that no judge could rate has no reward")
def test_an_episode_that_cannot_be_rated_is_left_out_not_given_a_number() -> None:
    expert = judge_that_is_down_for(1)
    results = [rate(TWO_HOPS, each, RewardConfig(), expert, wasteful) for each in EPISODES]  # type: ignore[arg-type]
    assert results[0] == Reward(1.1, 1.0, 0.5, 0.0)
    assert isinstance(results[1], InfrastructureError) and "503" in str(results[1])
    scored = _scored(RolloutGroup(TWO_HOPS, EPISODES), results)
    assert [(each.sample, each.reward) for each in scored.rollouts] == [(0, results[0])]


def test_a_mistake_of_ours_is_not_taken_for_an_outage() -> None:
    def broken(question: Question, rollout: Rollout) -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rate(TWO_HOPS, EPISODES[0], RewardConfig(), broken, wasteful)
