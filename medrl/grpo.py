"""KL-free policy gradient with a grouped baseline ("GRPO" in the paper's form).

    L = E[ log π(y|x) · (r(x, y) − r̄_G(x)) ], maximised          MedResearcher-R1, arXiv:2508.14880

with the clipped surrogate of PPO (arXiv:1707.06347 eq. 7) in place of log π, so that one batch of rollouts may serve
several updates; at ratio 1 both have the same gradient. The KL term of GRPO (arXiv:2402.03300 eq. 3) is there for
ablations, and off. Everything here is pure and runs on any device.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import pvariance
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from medrl.corrections import MAX_LOG_RATIO, Correction, correction_weights

Baseline = Literal["mean", "leave_one_out"]
Aggregation = Literal["sequence_sum", "token_mean", "sequence_mean", "constant"]


@dataclass(frozen=True, slots=True)
class LossOutput:
    """`loss`: a scalar to be minimised, with its graph. `stats`: plain sums over action tokens.

    Stats of micro-batches and of ranks add up; `reduce_stats` turns the added sums into means.
    """

    loss: Float[Tensor, ""]
    stats: dict[str, float]


def most_varied(rewards: Sequence[float], count: int) -> list[int]:
    """Indices, ascending, of the `count` rewards that vary the most; all if there are no more.

    Such a choice takes some of the highest and the rest from the lowest (PODS, arXiv:2504.13818, theorem 1), so there
    are `count` + 1 to compare. Among equals the most even one wins, then the earlier rewards.
    """
    if count < 2:
        raise ValueError(f"count={count}: a single reward has nothing to be compared with; keep 2 or more")
    order = sorted(range(len(rewards)), key=lambda index: rewards[index])
    if len(order) <= count:
        return sorted(order)
    choices = [order[: count - high] + order[len(order) - high :] for high in range(count + 1)]
    choices.sort(key=lambda choice: abs(sum(each in order[len(order) // 2 :] for each in choice) - count / 2))
    return sorted(max(choices, key=lambda choice: pvariance([rewards[index] for index in choice])))


def group_advantages(
    rewards: Float[Tensor, " B"],
    group_ids: Int[Tensor, " B"],
    *,
    baseline: Baseline = "mean",
    divide_by_std: bool = False,
) -> Float[Tensor, " B"]:
    """Reward minus the mean reward of its group; the paper's form.

    A group of one, or without spread, gives exactly 0.0: rewards that differ by less than a few units in the last
    place are equal. `leave_one_out` takes the mean of the others (RLOO, arXiv:2402.14740); `divide_by_std` divides by
    the group's sample standard deviation (arXiv:2402.03300), which the paper leaves out.

    Raises ValueError on a shape mismatch or a reward that is not finite.
    """
    if rewards.ndim != 1 or rewards.shape != group_ids.shape:
        raise ValueError(f"rewards {tuple(rewards.shape)} and group_ids {tuple(group_ids.shape)}: both must be [B]")
    if not rewards.is_floating_point():
        raise ValueError(f"rewards are {rewards.dtype}: must be floating point")
    if not bool(torch.isfinite(rewards).all()):
        raise ValueError("a reward is not finite; drop the rollout, an outage is not a reward")
    if baseline not in ("mean", "leave_one_out"):
        raise ValueError(f"baseline={baseline!r}: use 'mean' or 'leave_one_out'")
    _, index = torch.unique(group_ids, return_inverse=True)
    num_groups = int(index.max()) + 1 if index.numel() else 0
    rewards_B = rewards.detach().double()
    zeros_G = rewards_B.new_zeros(num_groups)
    low_B = zeros_G.scatter_reduce(0, index, rewards_B, "amin", include_self=False)[index]
    high_B = zeros_G.scatter_reduce(0, index, rewards_B, "amax", include_self=False)[index]
    size_B = zeros_G.scatter_add(0, index, torch.ones_like(rewards_B))[index]
    advantages_B = rewards_B - zeros_G.scatter_add(0, index, rewards_B)[index] / size_B
    others_B = (size_B - 1).clamp(min=1)
    if divide_by_std:
        variance_B = zeros_G.scatter_add(0, index, advantages_B**2)[index] / others_B
    if baseline == "leave_one_out":
        advantages_B = advantages_B * size_B / others_B
    if divide_by_std:
        advantages_B = advantages_B / variance_B.sqrt()
    smallest_B = 4 * torch.finfo(rewards.dtype).eps * torch.maximum(low_B.abs(), high_B.abs())
    return torch.where(high_B - low_B <= smallest_B, 0.0, advantages_B).to(rewards.dtype)


def policy_loss(
    logp: Float[Tensor, "B T"],
    old_logp: Float[Tensor, "B T"],
    advantages: Float[Tensor, " B"],
    action_mask: Bool[Tensor, "B T"],
    *,
    clip_low: float,
    clip_high: float,
    aggregation: Aggregation,
    rollout_logp: Float[Tensor, "B T"] | None = None,
    correction: Correction | None = None,
    dual_clip: float | None = None,
    normaliser: float | None = None,
    ref_logp: Float[Tensor, "B T"] | None = None,
    kl: float = 0.0,
    denominator: float | None = None,
) -> LossOutput:
    """Clipped surrogate −min(ρ·A, clip(ρ, 1 − clip_low, 1 + clip_high)·A), ρ = exp(logp − old_logp); to be minimised.

    Log-probs in nats at the sampling temperature: `logp` of the policy being trained, `old_logp` of the same weights
    before this batch's first update, `rollout_logp` as the sampler reported them. Only positions where `action_mask`
    is True count; the others may hold NaN or inf and reach neither the loss nor its gradient.

    `aggregation`, with D the denominator:
        sequence_sum   Σ over tokens, mean over sequences: the paper's log π(y|x)·A       D = number of sequences
        sequence_mean  mean over each sequence's tokens, mean over sequences (GRPO)       D = number of sequences
        token_mean     mean over all action tokens (DAPO, arXiv:2503.14476)               D = number of action tokens
        constant       Σ over tokens / `normaliser`, mean over sequences (Dr. GRPO)       D = number of sequences

    `correction` weighs each token by how likely the learner's own policy finds it against the sampler
    (`medrl.corrections`); a token of weight 0 still counts in D. `dual_clip` c > 1 bounds what a token of negative
    advantage adds to c·|A| (arXiv:1912.09729).

    `kl` times KL(policy ‖ reference) is added to each token's loss, after correction and clipping, which are about the
    advantage: exp(x) − 1 − x with x = ref_logp − logp (arXiv:2402.03300 eq. 3 and 4). `ref_logp` is of the frozen
    reference at the same temperature; with it the KL is measured, whatever `kl` is.

    `denominator` is that of the whole batch, so that the losses of its micro-batches (and ranks) sum to its loss; None
    takes this batch's own. A batch without any action gives loss 0 with a graph, and needs the denominator.

    Raises ValueError on mismatched shapes, a bound that makes no sense, or no action tokens without a denominator.
    """
    _check(logp, old_logp, advantages, action_mask, rollout_logp, ref_logp, clip_low, clip_high)
    if dual_clip is not None and not dual_clip > 1:
        raise ValueError(f"dual_clip={dual_clip}: use a number above 1, or None")
    if correction is not None and rollout_logp is None:
        raise ValueError("a correction needs rollout_logp, the sampler's log-probs")
    if not (kl >= 0 and math.isfinite(kl)):
        raise ValueError(f"kl={kl}: use a number of 0 or more")
    if kl and ref_logp is None:
        raise ValueError(f"kl={kl} needs ref_logp, the log-probs of the reference")
    tokens_B = action_mask.sum(dim=1)
    if denominator is None:
        denominator = float(tokens_B.sum() if aggregation == "token_mean" else (tokens_B > 0).sum())
        if denominator == 0:
            raise ValueError("no action tokens in this batch: pass the whole batch's denominator")
    elif not (denominator > 0 and math.isfinite(denominator)):
        raise ValueError(f"denominator={denominator}: pass the whole batch's count, above 0")

    dtype = torch.promote_types(logp.dtype, torch.float32)
    logp_BT = torch.where(action_mask, logp, 0.0).to(dtype)
    old_BT = torch.where(action_mask, old_logp.detach(), 0.0).to(dtype)
    advantages_BT = torch.where(action_mask, advantages.detach()[:, None], 0.0).to(dtype)
    log_ratio_BT = (logp_BT - old_BT).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    ratio_BT = log_ratio_BT.exp()
    free_BT = ratio_BT * advantages_BT
    held_BT = ratio_BT.clamp(1 - clip_low, 1 + clip_high) * advantages_BT
    loss_BT = -torch.minimum(free_BT, held_BT)
    bounded_BT = torch.zeros_like(action_mask)
    if dual_clip is not None:
        most_BT = -dual_clip * advantages_BT
        bounded_BT = (advantages_BT < 0) & (loss_BT > most_BT)
        loss_BT = torch.where(bounded_BT, most_BT, loss_BT)

    sums = {
        "ratio": torch.where(action_mask, ratio_BT, 0.0),
        "clip_low": (held_BT < free_BT) & (advantages_BT < 0),
        "clip_high": (held_BT < free_BT) & (advantages_BT > 0),
        "kl": _k3(log_ratio_BT),
    }
    if dual_clip is not None:
        sums["dual_clip"] = bounded_BT
    if rollout_logp is not None:
        mismatch_BT = old_BT - torch.where(action_mask, rollout_logp.detach(), 0.0).to(dtype)
        mismatch_BT = mismatch_BT.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
        sums["mismatch_kl"] = _k3(mismatch_BT)
        sums["mismatch_abs"] = mismatch_BT.abs()
        sums["mismatch_k1"] = -mismatch_BT
        if correction is not None:
            weight_BT, changed_BT = correction_weights(correction, mismatch_BT, action_mask)
            loss_BT = loss_BT * weight_BT
            sums["weight"] = torch.where(action_mask, weight_BT, 0.0)
            sums["weight_squared"] = sums["weight"] ** 2
            sums["weight_changed"] = changed_BT & action_mask
    if ref_logp is not None:
        away_BT = torch.where(action_mask, ref_logp.detach(), 0.0).to(dtype) - logp_BT
        kl_BT = _k3(away_BT.clamp(max=MAX_LOG_RATIO))  # however far below the policy's, the reference still pulls
        sums["kl_ref"] = kl_BT
        if kl:
            loss_BT = loss_BT + kl * kl_BT

    loss_BT = torch.where(action_mask, loss_BT, 0.0)  # a masked position stays in the graph, with gradient 0
    if aggregation == "sequence_mean":
        loss_BT = loss_BT / tokens_B.clamp(min=1)[:, None]
    elif aggregation == "constant":
        if normaliser is None or not normaliser > 0:
            raise ValueError(f"normaliser={normaliser}: aggregation=constant divides by a number of tokens above 0")
        loss_BT = loss_BT / normaliser
    return LossOutput(loss_BT.sum() / denominator, _to_floats(sums, tokens_B))


def reduce_stats(stats: Iterable[dict[str, float]]) -> dict[str, float]:
    """Add the stats of micro-batches and ranks, and divide by their action tokens; keys as they are logged.

    `actor/approx_kl` and `rollout_corr/kl` are the k3 estimator (Schulman 2020), `rollout_corr/kl_k1` the plain mean of
    the log ratio; nats a token.
    """
    total: dict[str, float] = {}
    for part in stats:
        for key, value in part.items():
            total[key] = total.get(key, 0.0) + value
    tokens = max(total.get("tokens", 0.0), 1.0)
    names = {
        "ratio": "actor/ratio_mean",
        "clip_low": "actor/clipfrac_low",
        "clip_high": "actor/clipfrac_high",
        "kl": "actor/approx_kl",
        "kl_ref": "actor/kl_ref",
        "mismatch_kl": "rollout_corr/kl",
        "mismatch_abs": "rollout_corr/logp_diff_mean",
        "weight": "rollout_corr/weight_mean",
        "weight_changed": "rollout_corr/changed",
        "mismatch_k1": "rollout_corr/kl_k1",
        "dual_clip": "actor/dual_clipfrac",
    }
    means = {name: total[key] / tokens for key, name in names.items() if key in total}
    if "weight_squared" in total:  # Kish's effective sample size, as a share of the tokens; 0 if all are rejected
        squared = total["weight_squared"]
        means["rollout_corr/ess"] = total["weight"] ** 2 / (tokens * squared) if squared else 0.0
    if "clip_low" in total:
        means["actor/clipfrac"] = means["actor/clipfrac_low"] + means["actor/clipfrac_high"]
    return means


def _k3(log_ratio: Tensor) -> Tensor:
    """exp(x) − 1 − x >= 0, x = log q − log p: a low-variance estimate of KL(p ‖ q) from samples of p."""
    return torch.expm1(log_ratio) - log_ratio


def _to_floats(sums: dict[str, Tensor], tokens_B: Tensor) -> dict[str, float]:
    parts = [value.detach().sum().double() for value in sums.values()]
    counts = [tokens_B.sum().double(), (tokens_B > 0).sum().double()]
    values = torch.stack([*parts, *counts]).tolist()  # one transfer from the device
    return dict(zip([*sums, "tokens", "sequences"], values, strict=True))


def _check(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    action_mask: Tensor,
    rollout_logp: Tensor | None,
    ref_logp: Tensor | None,
    clip_low: float,
    clip_high: float,
) -> None:
    if logp.ndim != 2:
        raise ValueError(f"logp {tuple(logp.shape)}: must be [B, T]")
    others = {"old_logp": old_logp, "action_mask": action_mask, "rollout_logp": rollout_logp, "ref_logp": ref_logp}
    for name, tensor in others.items():
        if tensor is not None and tensor.shape != logp.shape:
            raise ValueError(f"{name} {tuple(tensor.shape)}: must be [B, T] = {tuple(logp.shape)}, as logp")
    if advantages.shape != logp.shape[:1]:
        raise ValueError(f"advantages {tuple(advantages.shape)}: must be [B] = {tuple(logp.shape[:1])}")
    if action_mask.dtype != torch.bool:
        raise ValueError(f"action_mask is {action_mask.dtype}: must be bool")
    if not (0 <= clip_low <= 1 and clip_high >= 0):
        raise ValueError(f"clip_low={clip_low}, clip_high={clip_high}: use 0 <= clip_low <= 1 and clip_high >= 0")
