from dataclasses import replace

import pytest

from medrl.batch import train_samples
from medrl.sections.learning import GRPOConfig
from medrl.types import Ending, RolloutGroup
from tests import fakes
from tests.medrl.episodes import group_of


def test_the_kept_episodes_are_compared_with_their_whole_group() -> None:
    groups = [group_of(fakes.question(), 0.0, 0.0, 1.0, 0.0), group_of(fakes.question(), 0.5, 0.5, 0.5, 0.5)]
    every = [sample.advantage for sample in train_samples(groups, GRPOConfig(group_size=4))]
    assert every == pytest.approx([-0.25, -0.25, 0.75, -0.25, 0.0, 0.0, 0.0, 0.0])
    kept = [sample.advantage for sample in train_samples(groups, GRPOConfig(group_size=4, train_per_group=2))]
    assert sorted(kept[:2]) == pytest.approx([-0.25, 0.75]) and kept[2:] == [0.0, 0.0]


def test_groups_of_one_outcome_are_left_out_if_so_configured() -> None:
    """The second group differs in style alone (0.0 and 0.1 at task 0); its episodes stay, at no advantage."""
    wrong = group_of(fakes.question(), 0.0, 0.1, 0.0, 0.1)
    wrong = RolloutGroup(
        wrong.question, tuple(replace(each, reward=replace(each.reward, task=0.0)) for each in wrong.rollouts)
    )
    groups = [group_of(fakes.question(), 0.0, 1.0), wrong, RolloutGroup(fakes.question(), ())]
    every = [sample.advantage for sample in train_samples(groups, GRPOConfig())]
    assert every == pytest.approx([-0.5, 0.5, -0.05, 0.05, -0.05, 0.05])
    mixed = [sample.advantage for sample in train_samples(groups, GRPOConfig(learn_from="mixed"))]
    assert mixed == pytest.approx([-0.5, 0.5, 0.0, 0.0, 0.0, 0.0])


def test_an_episode_cut_off_counts_in_the_baseline_and_is_not_learnt_from() -> None:
    whole = group_of(fakes.question(), 0.0, 0.0, 1.0)
    whole.rollouts[0].ending = Ending.TOKEN_LIMIT
    kept = [sample.advantage for sample in train_samples([whole], GRPOConfig(group_size=3))]
    assert kept == pytest.approx([-1 / 3, -1 / 3, 2 / 3])
    masked = [sample.advantage for sample in train_samples([whole], GRPOConfig(group_size=3, overlong="mask"))]
    assert masked == pytest.approx([0.0, -1 / 3, 2 / 3])


def test_an_episode_without_reward_is_refused() -> None:
    group = group_of(fakes.question(), 0.0, 1.0)
    group.rollouts[1].reward = None
    with pytest.raises(ValueError, match="score it before learning"):
        train_samples([group], GRPOConfig(group_size=2))


def test_a_sample_names_its_episode() -> None:
    groups = [group_of(fakes.question(), 0.0, 0.0, 1.0, 0.0)]
    kept = train_samples(groups, GRPOConfig(group_size=4, train_per_group=2))
    named = {(rollout.question_id, rollout.sample): rollout for rollout in groups[0].rollouts}
    assert len(named) == 4 and len(kept) == 2
    assert all(named[each.question_id, each.sample].token_ids is each.token_ids for each in kept)
    assert sorted(named[each.question_id, each.sample].reward.total for each in kept) == [0.0, 1.0]  # type: ignore[union-attr]
