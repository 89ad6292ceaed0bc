"""Our loss and TRL's, number by number, for the variants that both have. Skipped where TRL is not installed:
`make compare` installs the pinned release (requirements/compare.txt) and runs this."""

import importlib
import warnings
from collections import defaultdict
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from torch import Tensor

from medrl.corrections import TruncatedIS
from medrl.grpo import group_advantages, policy_loss

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of vLLM's version, which TRL is not used with here
    pytest.importorskip("trl", reason="TRL is not installed: make compare")
    GRPOTrainer = importlib.import_module("trl.trainer.grpo_trainer").GRPOTrainer

pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor")  # in TRL

LOW, HIGH, MOST = 0.2, 0.28, 11
#: TRL's loss_type -> ours.
LOSSES = {
    "grpo": ("sequence_mean", None),
    "bnpo": ("token_mean", None),
    "dr_grpo": ("constant", float(MOST)),
    "dapo": ("token_mean", None),
    "luspo": ("sequence_sum", None),
}


def batch(seed: int, B: int = 6, T: int = MOST) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logp = -torch.rand(B, T, generator=generator, dtype=torch.float64) * 3
    old = logp + 0.5 * torch.randn(B, T, generator=generator, dtype=torch.float64)
    sampler = old + 0.5 * torch.randn(B, T, generator=generator, dtype=torch.float64)
    mask = torch.rand(B, T, generator=generator) < 0.6
    mask[:, 0] = True
    return logp, old, sampler, torch.randn(B, generator=generator, dtype=torch.float64), mask


def trl_loss(
    logp: Tensor,
    old: Tensor,
    advantages: Tensor,
    mask: Tensor,
    loss_type: str,
    delta: float | None,
    ratio: Tensor | None,
) -> Tensor:
    """`GRPOTrainer._compute_loss`, its model replaced by the log-probs themselves."""
    trainer: Any = MagicMock()
    trainer._get_per_token_logps_and_entropies.return_value = (logp, torch.zeros_like(logp), None)
    trainer.loss_type, trainer.importance_sampling_level = loss_type, "token"
    trainer.epsilon_low, trainer.epsilon_high, trainer.beta = LOW, HIGH, 0.0
    trainer.top_entropy_quantile, trainer.off_policy_mask_threshold = 1.0, None
    trainer.use_vllm = trainer.vllm_importance_sampling_correction = ratio is not None
    trainer.max_completion_length, trainer.current_gradient_accumulation_steps = MOST, 1
    trainer._entropy_bonus_enabled = trainer.aux_loss_enabled = False
    trainer.args = SimpleNamespace(delta=delta, steps_per_generation=1, use_bias_correction_kl=False)
    trainer.accelerator = SimpleNamespace(
        num_processes=1, gather=lambda tensor: tensor, reduce=lambda tensor, reduction: tensor
    )
    trainer.model = SimpleNamespace(training=True)
    trainer._metrics = {"train": defaultdict(list)}
    prompt = torch.ones(len(logp), 1, dtype=torch.long)
    inputs = {
        "prompt_ids": prompt, "prompt_mask": prompt, "completion_ids": mask.long(), "completion_mask": mask.long(),
        "advantages": advantages, "old_per_token_logps": old, "num_items_in_batch": mask.sum(),
    } | ({} if ratio is None else {"importance_sampling_ratio": ratio})  # fmt: skip
    loss: Tensor = GRPOTrainer._compute_loss(trainer, None, inputs)
    return loss


def largest_difference(loss_type: str, delta: float | None, corrected: bool, seed: int) -> float:
    """Of loss and gradient, ours less TRL's."""
    logp, old, sampler, advantages, mask = batch(seed)
    cap = 1.5
    ratio = (old - sampler).exp().clamp(max=cap) if corrected else None
    theirs, ours = logp.clone().requires_grad_(), logp.clone().requires_grad_()
    their_loss = trl_loss(theirs, old, advantages, mask, loss_type, delta, ratio)
    their_loss.backward()
    aggregation, normaliser = LOSSES[loss_type]
    our_loss = policy_loss(
        ours, old, advantages, mask, clip_low=LOW, clip_high=HIGH, aggregation=aggregation,  # type: ignore[arg-type]
        rollout_logp=sampler, correction=TruncatedIS(cap) if corrected else None, dual_clip=delta,
        normaliser=normaliser,
    ).loss  # fmt: skip
    our_loss.backward()
    assert theirs.grad is not None and ours.grad is not None and theirs.grad.any()
    return max(abs(float(their_loss - our_loss)), float((theirs.grad - ours.grad).abs().max()))


@pytest.mark.contract("3 loss variants", "loss and gradient of TRL 1.16")
@pytest.mark.parametrize("loss_type", LOSSES)
@pytest.mark.parametrize("delta", [None, 1.6])
@pytest.mark.parametrize("corrected", [False, True])
def test_loss_and_gradient_are_trls(loss_type: str, delta: float | None, corrected: bool, record_property: Any) -> None:
    apart = max(largest_difference(loss_type, delta, corrected, seed) for seed in range(5))
    record_property("figure", f"at most {1e-15 if apart < 1e-15 else apart:.0e} apart")
    assert apart < 1e-12


@pytest.mark.contract("3 loss variants", "advantages of TRL 1.16")
def test_advantages_are_trls() -> None:
    """TRL's lines for scale_rewards "none" and "group"; it adds 1e-4 to the deviation, we do not."""
    rewards = torch.rand(12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    groups = torch.arange(12) // 4
    centred = rewards - torch.nanmean(rewards.view(-1, 4), dim=1).repeat_interleave(4)
    assert torch.allclose(group_advantages(rewards, groups), centred, atol=1e-15)
    scaled = centred / (rewards.view(-1, 4).std(dim=1).repeat_interleave(4) + 1e-4)
    assert torch.allclose(group_advantages(rewards, groups, divide_by_std=True), scaled, rtol=1e-3)
