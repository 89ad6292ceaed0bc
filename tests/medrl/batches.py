"""Random batches for the loss, and the variants that it is tested in."""

import torch
from torch import Tensor

from medrl.corrections import Correction, GeometricRejection, IcePop, TruncatedIS
from medrl.grpo import Aggregation

AGGREGATIONS: list[Aggregation] = ["sequence_sum", "token_mean", "sequence_mean", "constant"]
CLIP = {"clip_low": 0.2, "clip_high": 0.28}
CORRECTIONS: dict[str, tuple[Correction, float, float]] = {  # and the oracle's bounds
    "token_tis": (TruncatedIS(1.3), 0.0, 1.3),
    "sequence_tis": (TruncatedIS(1.3, "sequence"), 0.0, 1.3),
    "icepop": (IcePop(0.7, 1.4), 0.7, 1.4),
    "geometric": (GeometricRejection(0.8, 1.2), 0.8, 1.2),
}


def batch(seed: int, B: int = 6, T: int = 9) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """logp, old_logp, rollout_logp [B, T], advantages [B], mask [B, T] with an action in every row; float64."""
    generator = torch.Generator().manual_seed(seed)
    logp = -torch.rand(B, T, generator=generator, dtype=torch.float64) * 3
    old = logp + 0.4 * torch.randn(B, T, generator=generator, dtype=torch.float64)
    rollout = old + 0.4 * torch.randn(B, T, generator=generator, dtype=torch.float64)
    advantages = torch.randn(B, generator=generator, dtype=torch.float64)
    mask = torch.rand(B, T, generator=generator) < 0.5
    mask[:, 2] = True
    return logp.requires_grad_(), old, rollout, advantages, mask


def reference_of(logp: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(1000 + seed)
    return logp.detach() + 0.7 * torch.randn(logp.shape, generator=generator, dtype=torch.float64)
