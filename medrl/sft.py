"""Supervised fine-tuning: negative log-likelihood of the agent's own tokens, and its learning-rate schedule."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from medrl.grpo import LossOutput


def nll_loss(
    logp: Float[Tensor, "B T"],
    action_mask: Bool[Tensor, "B T"],
    *,
    denominator: float | None = None,
) -> LossOutput:
    """−Σ logp over action tokens / their number, nats a token; to be minimised. Tool responses never count.

    `denominator` is the number of action tokens in the whole batch, so that micro-batches sum to it exactly; None takes
    this batch's own. Positions where `action_mask` is False may hold NaN or inf. Stats are sums: `nll`, `tokens`.

    Raises ValueError on mismatched shapes, or on no action tokens without a denominator.
    """
    if logp.ndim != 2 or logp.shape != action_mask.shape or action_mask.dtype != torch.bool:
        raise ValueError(
            f"logp {tuple(logp.shape)} and action_mask {tuple(action_mask.shape)} {action_mask.dtype}: "
            "both must be [B, T], the mask bool"
        )
    tokens = float(action_mask.sum())
    if denominator is None:
        if tokens == 0:
            raise ValueError("no action tokens in this batch: pass the whole batch's denominator")
        denominator = tokens
    elif not (denominator > 0 and math.isfinite(denominator)):
        raise ValueError(f"denominator={denominator}: pass the whole batch's count, above 0")
    nll = -torch.where(action_mask, logp, 0.0).to(torch.promote_types(logp.dtype, torch.float32)).sum()
    return LossOutput(nll / denominator, {"nll": float(nll.detach()), "tokens": tokens})


def cosine_lr(step: int, total: int, peak: float, warmup: int) -> float:
    """Learning rate of update `step` in [0, total): linear up to `peak` over `warmup` updates, then a half cosine to 0.

    The first update already moves: step 0 has peak / (warmup + 1). Past `total` the rate is 0.
    """
    if not 0 <= warmup < total:
        raise ValueError(f"warmup={warmup}, total={total}: warm up for fewer updates than there are")
    if step < 0:
        raise ValueError(f"step={step}: must not be negative")
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    progress = min(1.0, (step - warmup) / (total - warmup))
    return peak * 0.5 * (1.0 + math.cos(math.pi * progress))
