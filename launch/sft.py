"""Supervised fine-tuning on guided trajectories: the negative log-likelihood of the agent's own tokens."""

import time
from collections.abc import Mapping, Sequence
from itertools import islice

from actors.learner import LearnerGroup
from launch.batches import shuffled_batches
from launch.checkpoints import Checkpoints, Standing
from launch.tracking import Tracker
from medrl.config import Config
from medrl.packing import TrainSample
from medrl.progress import Progress
from medrl.seeds import derive_seed
from medrl.sft import cosine_lr
from medrl.types import Rollout


async def finetune(
    config: Config,
    learner: LearnerGroup,
    trajectories: Sequence[Rollout],
    tasks: Mapping[str, str],
    tracker: Tracker,
    checkpoints: Checkpoints,
) -> None:
    """`sft.updates` optimiser steps of `sft.batch_trajectories`, AdamW with a cosine schedule; from the last checkpoint
    if there is one. `tasks`: question id -> task, for `sft.balanced`."""
    total = config.sft.updates
    batches = shuffled_batches(
        trajectories,
        config.sft.batch_trajectories,
        derive_seed(config.seed, "sft"),
        lambda each: tasks.get(each.question_id, "other") if config.sft.balanced else "",
    )
    warmup = min(round(config.sft.warmup_fraction * total), total - 1)
    done, begun = 0, time.monotonic()
    if (last := checkpoints.last) is not None:
        standing = checkpoints.read(last)
        done, begun = standing.step, begun - standing.seconds
        await learner.load_checkpoint(last)
    with Progress("sft", total, "update", done) as progress:
        for update, batch in enumerate(islice(batches, done, total), start=done):
            lr = cosine_lr(update, total, config.sft.lr, warmup)
            stats, _ = await learner.update([demonstration(rollout) for rollout in batch], "sft", lr)
            metrics = {f"sft/{name}": value for name, value in stats.items()} | {"sft/lr": lr}
            tracker.log(metrics, step=update, stage="sft")
            progress.advance(1, loss=stats["loss"])
            if (update + 1) % config.checkpoint.sft_every == 0:
                with checkpoints.writing(Standing(update + 1, seconds=time.monotonic() - begun)) as folder:
                    await learner.save_checkpoint(folder)


def demonstration(rollout: Rollout) -> TrainSample:
    """A trajectory as the learner takes it; the advantage of a demonstration is 1."""
    return TrainSample(rollout.token_ids, rollout.action_mask, rollout.logprobs, advantage=1.0)
