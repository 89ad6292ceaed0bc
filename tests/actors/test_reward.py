"""What the reward actor does with an episode, without Ray."""

import asyncio
from pathlib import Path

import pytest

from actors.placement import session
from actors.reward import RewardService, _scored, rate
from launch.recipe import load_recipe
from medrl.errors import InfrastructureError
from medrl.experts import settled
from medrl.preferences import FEATURES, features
from medrl.ratings import RatedEpisode, Rating, append, digest
from medrl.rewards import rubric_expert, wasteful
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


@pytest.mark.slow
def test_the_reward_actor_rates_by_what_clinicians_preferred(tmp_path: Path) -> None:
    """Ratings in a file, an actor of Ray's, and the expert's term of the reward."""
    tidy, messy = (
        episode(FIND_DISEASE, *again, FIND_GENE, final("FBN1", "per ncbi:2200"), sample=sample)
        for sample, again in enumerate(((), (FIND_DISEASE,)))
    )
    rated = [
        RatedEpisode(
            "rl", each.sample, digest(each), dict(zip(FEATURES, features(TWO_HOPS, each).tolist(), strict=True))
        )
        for each in (tidy, messy)
    ]
    for number in range(200):
        line = Rating(f"{number}", "", f"R{number}", "preference", "q2", tuple(rated), preference="first")
        append(tmp_path / "ratings.jsonl", line)
    settings = [f"reward.ratings=[{tmp_path}/ratings.jsonl]", f"run_dir={tmp_path}/run"]
    config = load_recipe("quickstart", settings)
    with session(config):
        scored, problems = asyncio.run(RewardService(config).score(RolloutGroup(TWO_HOPS, (tidy, messy))))
    assert problems == []
    first, second = (each.reward for each in scored.rollouts)
    assert first is not None and second is not None
    assert rubric_expert(TWO_HOPS, tidy) == rubric_expert(TWO_HOPS, messy) == 1.0
    assert (first.task, first.expert) == (1.0, 1.0)
    assert second.expert < 0.95
    learnt = settled(config)
    assert learnt is not None and second.expert == learnt.expert(TWO_HOPS, messy)
