"""Corrections for a sampler that is not quite the policy being trained: older weights, other kernels, other rounding.

    weight = f( π_old(token) / π_sampler(token) ), no gradient, times the token's loss

π_old is the learner's own policy before the batch's first update, π_sampler what the tokens were drawn from, whatever
versions and kernels made it. Together with a ratio against π_old this is decoupled PPO (AReaL, arXiv:2505.24298).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from medrl.sections.learning import CorrectionConfig

MAX_LOG_RATIO = 20.0
"""Log ratios are held within ±20 nats, where exp is finite in float32."""


@dataclass(frozen=True, slots=True)
class TruncatedIS:
    """min(ratio, cap): truncated importance sampling (Yao et al. 2025, "Your efficient RL framework secretly brings you
    off-policy RL training"). At level "sequence" the ratio is that of the whole episode, the product of its tokens'."""

    cap: float = 2.0
    level: Literal["token", "sequence"] = "token"

    def __post_init__(self) -> None:
        if not self.cap > 0:
            raise ValueError(f"TruncatedIS.cap={self.cap}: use a number above 0, e.g. 2.0")


@dataclass(frozen=True, slots=True)
class IcePop:
    """The ratio itself where it is within [low, high], else 0: tokens on which the two disagree teach nothing (IcePop,
    Ling team 2025, arXiv:2510.18855)."""

    low: float = 0.5
    high: float = 5.0

    def __post_init__(self) -> None:
        _check_range("IcePop", self.low, self.high)


@dataclass(frozen=True, slots=True)
class GeometricRejection:
    """1 for episodes whose geometric mean ratio over tokens is within [low, high], else 0: the episode is left out
    (Liu et al. 2025, "When speed kills stability: demystifying RL collapse from the training-inference mismatch")."""

    low: float = 0.99
    high: float = 1.01

    def __post_init__(self) -> None:
        _check_range("GeometricRejection", self.low, self.high)


Correction = TruncatedIS | IcePop | GeometricRejection


def correction_weights(
    correction: Correction, log_ratio: Float[Tensor, "B T"], action_mask: Bool[Tensor, "B T"]
) -> tuple[Float[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """Weights of the tokens' losses, and which tokens were capped, masked or rejected.

    `log_ratio`: log π_old − log π_sampler, nats, 0 where `action_mask` is False. Rows are whole episodes.
    """
    log_ratio = log_ratio.detach()
    if isinstance(correction, TruncatedIS):
        if correction.level == "sequence":
            log_ratio = log_ratio.sum(dim=1, keepdim=True).expand_as(log_ratio)
        ratio_BT = log_ratio.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()
        return ratio_BT.clamp(max=correction.cap), ratio_BT > correction.cap
    if isinstance(correction, IcePop):
        ratio_BT = log_ratio.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()
        outside = (ratio_BT < correction.low) | (ratio_BT > correction.high)
        return torch.where(outside, 0.0, ratio_BT), outside
    tokens_B1 = action_mask.sum(dim=1, keepdim=True).clamp(min=1)
    mean_B1 = (log_ratio.sum(dim=1, keepdim=True) / tokens_B1).exp()
    rejected = ((mean_B1 < correction.low) | (mean_B1 > correction.high)).expand_as(log_ratio)
    return torch.where(rejected, 0.0, torch.ones_like(log_ratio)), rejected


def correction_of(config: CorrectionConfig) -> Correction | None:
    """The correction that is configured, if any."""
    match config.kind:
        case "token_tis" | "sequence_tis":
            cap = TruncatedIS().cap if config.cap is None else config.cap
            return TruncatedIS(cap, "token" if config.kind == "token_tis" else "sequence")
        case "icepop":
            return IcePop(*_bounds(config, IcePop()))
        case "geometric":
            return GeometricRejection(*_bounds(config, GeometricRejection()))
    return None


def _bounds(config: CorrectionConfig, default: IcePop | GeometricRejection) -> tuple[float, float]:
    low = default.low if config.low is None else config.low
    return low, default.high if config.high is None else config.high


def _check_range(name: str, low: float, high: float) -> None:
    if not 0 <= low < 1 < high:
        raise ValueError(f"{name} low={low}, high={high}: 1, where both agree, must be between them; low is 0 or more")
