"""The supervised loss and its schedule."""

import math

import pytest
import torch

from medrl.sft import cosine_lr, nll_loss


def test_nll_is_the_mean_over_action_tokens_and_ignores_the_rest() -> None:
    logp = torch.tensor([[-1.0, math.nan, -3.0], [math.inf, -2.0, -math.inf]], requires_grad=True)
    mask = torch.tensor([[True, False, True], [False, True, False]])
    out = nll_loss(logp, mask)
    out.loss.backward()
    assert out.loss.item() == pytest.approx((1 + 3 + 2) / 3)
    assert logp.grad is not None
    assert torch.equal(logp.grad, -mask.float() / 3)
    assert out.stats == {"nll": 6.0, "tokens": 3.0}


def test_micro_batches_sum_to_the_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    logp = torch.randn(5, 7, generator=generator, dtype=torch.float64)
    mask = torch.rand(5, 7, generator=generator) < 0.4
    whole = nll_loss(logp, mask).loss.item()
    parts = [nll_loss(logp[i : i + 1], mask[i : i + 1], denominator=float(mask.sum())).loss.item() for i in range(5)]
    assert sum(parts) == pytest.approx(whole, rel=1e-14)


def test_an_all_masked_batch_needs_a_denominator() -> None:
    logp = torch.full((1, 2), math.nan, requires_grad=True)
    nothing = torch.zeros(1, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match="denominator"):
        nll_loss(logp, nothing)
    nll_loss(logp, nothing, denominator=3).loss.backward()
    assert logp.grad is not None and (logp.grad == 0).all()
    with pytest.raises(ValueError, match=r"\[B, T\]"):
        nll_loss(logp, nothing[:, :1])


def test_schedule_warms_up_to_its_peak_and_falls_as_a_half_cosine() -> None:
    rates = [cosine_lr(step, 12, 1.0, 3) for step in range(13)]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates[3:12] == pytest.approx([(1 + math.cos(math.pi * i / 9)) / 2 for i in range(9)])
    assert rates[12] == 0.0 and cosine_lr(50, 12, 1.0, 3) == 0.0
    assert cosine_lr(0, 1, 3e-4, 0) == 3e-4
    with pytest.raises(ValueError, match="warm up"):
        cosine_lr(0, 3, 1.0, 3)
