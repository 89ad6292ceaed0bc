"""From scored groups to what the learner is given."""

from collections.abc import Iterator, Sequence
from itertools import compress

import torch

from medrl.grpo import group_advantages, most_varied
from medrl.metrics import is_mixed
from medrl.packing import TrainSample
from medrl.sections.learning import GRPOConfig
from medrl.types import Ending, Rollout, RolloutGroup


def train_samples(groups: Sequence[RolloutGroup], settings: GRPOConfig) -> list[TrainSample]:
    """The episodes that are kept of each group, with their advantages in the whole of it.

    The advantage is 0 in a group that is not to be learnt from, and for an episode cut off at the longest length if
    `overlong` is "mask" (DAPO's overlong filtering, arXiv:2503.14476): its reward stays in the group's baseline.
    """
    scored = [(rollout, index) for index, group in enumerate(groups) for rollout in group.rollouts]
    rewards = torch.tensor([_total(rollout) for rollout, _ in scored], dtype=torch.float64)
    group_ids = torch.tensor([index for _, index in scored])
    advantages = group_advantages(
        rewards, group_ids, baseline=settings.baseline, divide_by_std=settings.divide_by_std
    ).tolist()
    taught = [settings.learn_from == "all" or is_mixed(group) for group in groups]
    return [
        TrainSample(
            rollout.token_ids,
            rollout.action_mask,
            rollout.logprobs,
            advantage if taught[index] and not _is_cut_off(rollout, settings) else 0.0,
            rollout.question_id,
            rollout.sample,
        )
        for (rollout, index), advantage in compress(zip(scored, advantages, strict=True), _kept(groups, settings))
    ]


def _is_cut_off(rollout: Rollout, settings: GRPOConfig) -> bool:
    return settings.overlong == "mask" and rollout.ending is Ending.TOKEN_LIMIT


def _kept(groups: Sequence[RolloutGroup], settings: GRPOConfig) -> Iterator[bool]:
    """For each episode, group by group, whether it is among the `train_per_group` that vary most."""
    for group in groups:
        rewards = [_total(rollout) for rollout in group.rollouts]
        kept = most_varied(rewards, settings.train_per_group or settings.group_size)
        yield from (index in kept for index in range(len(rewards)))


def _total(rollout: Rollout) -> float:
    if rollout.reward is None:
        raise ValueError(f"{rollout.question_id}/{rollout.sample} has no reward: score it before learning from it")
    return rollout.reward.total
