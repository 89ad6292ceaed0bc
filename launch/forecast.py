"""How long a run takes on this machine, roughly: what it has to multiply, over how fast the machine multiplies."""

import math
import time
from dataclasses import dataclass

import torch

from launch.footprint import ModelShape, evaluation_episodes
from medrl.config import Config

#: Of `model.max_length`: episodes of 386 to 480 tokens were measured where the limit is 1,024 (docs/log.md), of which a
#: group's prompt, some 130, is computed once.
_COMPUTED = 0.3
#: Of the rate of matrix products; measured with a model of 135M parameters on two cores (docs/log.md).
_SAMPLER, _LEARNER = 0.44, 0.51
#: Of the groups that are played, those with right and wrong answers, where nothing else is learnt from.
_MIXED = 0.5
_MEASURED_S = 0.5


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds by stage, without what synthesis takes."""

    sft: float
    grpo: float
    evaluation: float


def forecast(config: Config, shape: ModelShape, rate: float) -> Forecast:
    """For a machine of `rate` FLOP/s on which sampler and learner take turns, or share it, which comes to the same.

    A token costs two FLOPs a parameter to sample or read and six to learn from (arXiv:2001.08361, section 2.1); what an
    episode has read is kept. Left out are attention, which is little at lengths that a CPU can train, and what
    `grpo.kl`, more updates a batch, gradient checkpointing and adapters add or spare.
    """
    tokens = _COMPUTED * config.model.max_length

    def seconds(played: float, learnt: float) -> float:
        return tokens * shape.parameters * (2 * played / _SAMPLER + 6 * learnt / _LEARNER) / rate

    grpo, sft = config.grpo, config.sft
    groups, learnt = grpo.groups_per_step, float(grpo.samples_per_step)
    if grpo.learn_from == "mixed":
        groups = min(groups + grpo.refill, math.ceil(groups / _MIXED))
        learnt *= min(1.0, groups * _MIXED / grpo.groups_per_step)
    return Forecast(
        sft=seconds(0, sft.updates * sft.batch_trajectories),
        grpo=grpo.steps * seconds(groups * grpo.group_size, learnt),
        evaluation=seconds(evaluation_episodes(config), 0),
    )


def product_rate(rows: int, inner: int, columns: int, dtype: torch.dtype) -> float:
    """FLOP/s of x · wᵀ, [rows, inner] by [columns, inner], on all of torch's threads."""
    x, w = (torch.randn(n, inner).to(dtype) for n in (rows, columns))
    torch.nn.functional.linear(x, w)  # the first one sets up
    begun, times = time.perf_counter(), 0
    while (took := time.perf_counter() - begun) < _MEASURED_S:
        torch.nn.functional.linear(x, w)
        times += 1
    return 2 * rows * inner * columns * times / took
