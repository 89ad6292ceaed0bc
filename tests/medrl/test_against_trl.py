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

from medrl.corrections import Correction, IcePop, TruncatedIS
from medrl.grpo import group_advantages, policy_loss

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of vLLM's version, which TRL is not used with here
    pytest.importorskip("trl", reason="TRL is not installed: make compare")
    GRPOTrainer = importlib.import_module("trl.trainer.grpo_trainer").GRPOTrainer

pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor")  # in TRL

LOW, HIGH, MOST = 0.2, 0.28, 11
#: TRL's vllm_importance_sampling_mode -> its bounds, and our correction.
BOUNDS: dict[str, tuple[float | None, float]] = {
    "token_truncate": (None, 1.5),
    "sequence_truncate": (None, 1.5),
    "token_mask": (0.7, 1.5),
}
CORRECTIONS: dict[str, Correction | None] = {
    "": None,
    "token_truncate": TruncatedIS(1.5),
    "sequence_truncate": TruncatedIS(1.5, "sequence"),
    "token_mask": IcePop(0.7, 1.5),
}
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


def light_trainer(loss_type: str = "grpo", delta: float | None = None) -> Any:
    """What `GRPOTrainer`'s methods read, with the model, the sampler and the cluster replaced by their results."""
    trainer: Any = MagicMock()
    trainer.loss_type, trainer.importance_sampling_level = loss_type, "token"
    trainer.epsilon_low, trainer.epsilon_high, trainer.beta = LOW, HIGH, 0.0
    trainer.top_entropy_quantile, trainer.off_policy_mask_threshold = 1.0, None
    trainer.use_vllm = trainer.vllm_importance_sampling_correction = False
    trainer.max_completion_length, trainer.current_gradient_accumulation_steps = MOST, 1
    trainer._entropy_bonus_enabled = trainer.aux_loss_enabled = False
    trainer.args = SimpleNamespace(
        delta=delta,
        steps_per_generation=1,
        use_bias_correction_kl=False,
        per_device_train_batch_size=64,
        gradient_accumulation_steps=1,
        gradient_checkpointing_kwargs=None,
    )
    trainer.accelerator = SimpleNamespace(
        num_processes=1,
        process_index=0,
        device=torch.device("cpu"),
        gather=lambda tensor: tensor,
        reduce=lambda tensor, reduction: tensor,
    )
    trainer.model = SimpleNamespace(training=True, is_gradient_checkpointing=False)
    trainer._metrics = {"train": defaultdict(list)}
    return trainer


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
    trainer = light_trainer(loss_type, delta)
    trainer._get_per_token_logps_and_entropies.return_value = (logp, torch.zeros_like(logp), None)
    trainer.use_vllm = trainer.vllm_importance_sampling_correction = ratio is not None
    prompt = torch.ones(len(logp), 1, dtype=torch.long)
    inputs = {
        "prompt_ids": prompt, "prompt_mask": prompt, "completion_ids": mask.long(), "completion_mask": mask.long(),
        "advantages": advantages, "old_per_token_logps": old, "num_items_in_batch": mask.sum(),
    } | ({} if ratio is None else {"importance_sampling_ratio": ratio})  # fmt: skip
    loss: Tensor = GRPOTrainer._compute_loss(trainer, None, inputs)
    return loss


def trl_scored(
    rewards: Tensor, old: Tensor, sampler: Tensor, mask: Tensor, *, group_size: int, mode: str = "", scale: str = "none"
) -> dict[str, Tensor]:
    """`GRPOTrainer._generate_and_score_completions`: advantages, and the importance ratio if a `mode` is given."""
    trainer = light_trainer()
    size = len(rewards)
    ids = [[1] * mask.shape[1]] * size
    trainer._generate.return_value = (
        [[1]] * size, ids, mask.long().tolist(), ["text"] * size, sampler.tolist(), {}, None, None
    )  # fmt: skip
    trainer._get_per_token_logps_and_entropies.return_value = (old, None, None)
    trainer._calculate_rewards.return_value = rewards[:, None]
    trainer.reward_weights, trainer.reward_func_names = torch.ones(1), ["reward"]
    trainer.environment_factories = trainer.pad_to_multiple_of = None
    trainer.tools, trainer.environments, trainer.num_iterations = [], [], 1
    trainer._tokenizer.pad_token_id = 0
    trainer.mask_truncated_completions = trainer.log_multimodal = False
    trainer._pending_extra_logs, trainer._pending_metrics = {}, {}
    trainer.num_generations, trainer.scale_rewards = group_size, scale
    trainer.multi_objective_aggregation = "sum_then_normalize"
    trainer.use_vllm = trainer.vllm_importance_sampling_correction = bool(mode)
    trainer.vllm_importance_sampling_mode = mode
    trainer.vllm_importance_sampling_clip_min = BOUNDS[mode][0] if mode else None
    trainer.vllm_importance_sampling_clip_max = BOUNDS[mode][1] if mode else None
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # of the tensors that TRL makes of lists
    try:
        scored: dict[str, Tensor] = GRPOTrainer._generate_and_score_completions(trainer, [{"prompt": "text"}] * size)
    finally:
        torch.set_default_dtype(default)
    return scored


def largest_difference(loss_type: str, delta: float | None, mode: str, seed: int) -> float:
    """Of loss and gradient, ours less TRL's."""
    logp, old, sampler, advantages, mask = batch(seed)
    ratio = (
        trl_scored(advantages, old, sampler, mask, group_size=3, mode=mode)["importance_sampling_ratio"]
        if mode
        else None
    )
    theirs, ours = logp.clone().requires_grad_(), logp.clone().requires_grad_()
    their_loss = trl_loss(theirs, old, advantages, mask, loss_type, delta, ratio)
    their_loss.backward()
    aggregation, normaliser = LOSSES[loss_type]
    our_loss = policy_loss(
        ours, old, advantages, mask, clip_low=LOW, clip_high=HIGH, aggregation=aggregation,  # type: ignore[arg-type]
        rollout_logp=sampler, correction=CORRECTIONS[mode], dual_clip=delta, normaliser=normaliser,
    ).loss  # fmt: skip
    our_loss.backward()
    assert theirs.grad is not None and ours.grad is not None and theirs.grad.any()
    return max(abs(float(their_loss - our_loss)), float((theirs.grad - ours.grad).abs().max()))


@pytest.mark.contract("3 loss variants", "loss and gradient of TRL 1.16")
@pytest.mark.parametrize("loss_type", LOSSES)
@pytest.mark.parametrize("delta", [None, 1.6])
@pytest.mark.parametrize("mode", CORRECTIONS)
def test_loss_and_gradient_are_trls(loss_type: str, delta: float | None, mode: str, record_property: Any) -> None:
    apart = max(largest_difference(loss_type, delta, mode, seed) for seed in range(5))
    record_property("figure", f"at most {1e-15 if apart < 1e-15 else apart:.0e} apart")
    assert apart < 1e-12


@pytest.mark.contract("3 loss variants", "advantages of TRL 1.16")
def test_advantages_are_trls() -> None:
    """scale_rewards "none" and "group"; to the deviation TRL adds 1e-4, we do not."""
    _, old, sampler, _, mask = batch(0, B=12)
    rewards = torch.rand(12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rewards[8:] = 0.5
    groups = torch.arange(12) // 4
    plain, scaled = (
        trl_scored(rewards, old, sampler, mask, group_size=4, scale=scale)["advantages"] for scale in ("none", "group")
    )
    assert plain[:8].all()
    assert torch.allclose(group_advantages(rewards, groups), plain, rtol=0, atol=1e-15)
    assert torch.allclose(group_advantages(rewards, groups, divide_by_std=True), scaled, rtol=1e-3)
