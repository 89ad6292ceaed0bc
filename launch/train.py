"""The controller loop: question -> rollout -> reward -> learner -> weights -> pool, one policy version an update.

curriculum -> questions -> RolloutWorkers <-> InferencePool
    ^                            |                  ^
pass rates                 RewardService            | weights, versioned
    |                            v                  |
    +-------------------- advantages -> LearnerGroup
"""

import random
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import compress
from statistics import fmean

import torch
from tqdm import tqdm

from actors.learner import LearnerGroup
from actors.rollout import Play
from launch.players import Players
from launch.progress import Progress
from launch.tracking import Tracker
from launch.trajectories import TrajectoryLog
from medrl.config import Config, GRPOConfig
from medrl.curriculum import Curriculum
from medrl.errors import InfrastructureError
from medrl.grpo import group_advantages, most_varied
from medrl.metrics import is_mixed, rollout_metrics
from medrl.packing import TrainSample
from medrl.seeds import derive_seed
from medrl.types import Question, RolloutGroup


def grpo(
    config: Config,
    learner: LearnerGroup,
    players: Players,
    questions: Sequence[Question],
    tracker: Tracker,
    log: TrajectoryLog,
) -> int:
    """`grpo.steps` steps from the weights that learner and pool both hold. Returns the number of episodes played."""
    settings = config.grpo
    rng = random.Random(derive_seed(config.seed, "curriculum"))
    curriculum = Curriculum(sorted({question.hops for question in questions}), config.curriculum)
    episodes = 0
    with Progress("grpo", settings.steps * settings.groups_per_step * settings.group_size, "episode") as progress:
        for step in range(settings.steps):
            timer = StepTimer()
            batch = curriculum.sample(rng, questions, settings.groups_per_step)
            plays = [Play(question, settings.group_size, settings.temperature) for question in batch]
            outcomes = players.workers.collect(plays, derive_seed(config.seed, "grpo", step), progress.advance)
            timer.lap("rollout")
            groups, unrated = players.reward.score([outcome.group for outcome in outcomes])
            timer.lap("reward")
            outages = [reason for outcome in outcomes for reason in outcome.outages] + unrated
            if outages:
                tqdm.write(f"step {step}: {len(outages)} episodes dropped; the first: {outages[0]}", file=sys.stderr)
            if not any(group.rollouts for group in groups):
                raise InfrastructureError(f"step {step}: no episode could be played; the first: {outages[0]}")
            curriculum.give_back([group.question for group in groups if not group.rollouts])
            curriculum.observe(groups)
            stats = learn(learner, train_samples(groups, settings), settings, step)
            timer.lap("learn")
            players.pool.update_weights(learner.export_weights(step + 1))
            timer.lap("sync")
            log.write(f"grpo-{step:04d}", groups)
            tracker.log(
                rollout_metrics(groups)
                | stats
                | curriculum.metrics()
                | timer.metrics()
                | {"rollout/outages": len(outages)},
                step=step,
                stage="grpo",
            )
            episodes += sum(len(group.rollouts) for group in groups)
    return episodes


def train_samples(groups: Sequence[RolloutGroup], settings: GRPOConfig) -> list[TrainSample]:
    """The episodes that are kept of each group, with their advantages in the whole of it; 0 in a group that is not to
    be learnt from."""
    scored = [(rollout, index) for index, group in enumerate(groups) for rollout in group.rollouts]
    rewards = torch.tensor([rollout.reward.total for rollout, _ in scored], dtype=torch.float64)
    group_ids = torch.tensor([index for _, index in scored])
    advantages = group_advantages(
        rewards, group_ids, baseline=settings.baseline, divide_by_std=settings.divide_by_std
    ).tolist()
    taught = [settings.learn_from == "all" or is_mixed(group) for group in groups]
    return [
        TrainSample(rollout.token_ids, rollout.action_mask, rollout.logprobs, advantage if taught[index] else 0.0)
        for (rollout, index), advantage in compress(zip(scored, advantages, strict=True), _kept(groups, settings))
    ]


def _kept(groups: Sequence[RolloutGroup], settings: GRPOConfig) -> Iterator[bool]:
    """For each episode, group by group, whether it is among the `train_per_group` that vary most."""
    for group in groups:
        rewards = [rollout.reward.total for rollout in group.rollouts]
        kept = most_varied(rewards, settings.train_per_group or settings.group_size)
        yield from (index in kept for index in range(len(rewards)))


def learn(learner: LearnerGroup, samples: list[TrainSample], settings: GRPOConfig, step: int) -> dict[str, float]:
    """One step's optimiser updates, `grpo.updates_per_batch` of them, over disjoint shares of the samples.

    Samples without advantage teach nothing and are left out if so configured; the loss is averaged over all the same.
    A step in which no group had spread says so. With several updates the ratio is taken against the weights before
    the first. Returns the means over the updates.
    """
    # What the loss is averaged over, before anything is left out.
    counted = sum(s.num_actions for s in samples) if settings.aggregation == "token_mean" else len(samples)
    if settings.skip_constant_groups:
        samples = [sample for sample in samples if sample.advantage != 0.0]
    if not samples:
        return {"actor/samples": 0.0}
    lr = settings.lr * min(1.0, (step + 1) / (settings.warmup_steps + 1))
    updates = min(settings.updates_per_batch, len(samples))
    old = learner.logprobs(samples) if updates > 1 else None
    stats = [
        learner.update(
            samples[share::updates], "policy", lr, None if old is None else old[share::updates], counted / updates
        )
        for share in range(updates)
    ]
    means = {f"actor/{name}" if "/" not in name else name: fmean(each[name] for each in stats) for name in stats[0]}
    return means | {"actor/lr": lr, "actor/samples": float(len(samples)), "actor/updates": float(updates)}


class StepTimer:
    """Where a step's wall time goes, in seconds by lap."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """End the lap that began with the last one."""
        now = time.monotonic()
        self._laps[name] = now - self._last
        self._last = now

    def metrics(self) -> dict[str, float]:
        """`timing_s/<lap>` and their sum."""
        return {f"timing_s/{name}": s for name, s in self._laps.items()} | {"timing_s/step": sum(self._laps.values())}
