"""Supervised fine-tuning on guided trajectories: the negative log-likelihood of the agent's own tokens."""

import random
from collections.abc import Iterator, Sequence

from actors.learner import LearnerGroup
from launch.progress import Progress
from launch.tracking import Tracker
from medrl.config import Config
from medrl.packing import TrainSample
from medrl.seeds import derive_seed
from medrl.sft import cosine_lr
from medrl.types import Rollout


async def finetune(config: Config, learner: LearnerGroup, trajectories: Sequence[Rollout], tracker: Tracker) -> None:
    """`sft.updates` optimiser steps of `sft.batch_trajectories`, AdamW with a cosine schedule."""
    batches = shuffled_batches(trajectories, config.sft.batch_trajectories, derive_seed(config.seed, "sft"))
    warmup = min(round(config.sft.warmup_fraction * config.sft.updates), config.sft.updates - 1)
    with Progress("sft", config.sft.updates, "update") as progress:
        for update in range(config.sft.updates):
            lr = cosine_lr(update, config.sft.updates, config.sft.lr, warmup)
            stats = await learner.update([demonstration(rollout) for rollout in next(batches)], "sft", lr)
            metrics = {f"sft/{name}": value for name, value in stats.items()} | {"sft/lr": lr}
            tracker.log(metrics, step=update, stage="sft")
            progress.advance(1, loss=stats["loss"])


def demonstration(rollout: Rollout) -> TrainSample:
    """A trajectory as the learner takes it; the advantage of a demonstration is 1."""
    return TrainSample(rollout.token_ids, rollout.action_mask, rollout.logprobs, advantage=1.0)


def shuffled_batches(items: Sequence[Rollout], size: int, seed: int) -> Iterator[list[Rollout]]:
    """Endless batches; every item once an epoch, in a new order each epoch."""
    rng = random.Random(seed)
    queue: list[Rollout] = []
    while True:
        while len(queue) < size:
            queue += rng.sample(list(items), len(items))
        yield queue[:size]
        queue = queue[size:]
