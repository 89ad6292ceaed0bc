"""The policy gradient against scalar oracles, and the invariants that trainers break."""

import itertools
import math
from statistics import fmean

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medrl.corrections import TruncatedIS
from medrl.grpo import MAX_LOG_RATIO, Aggregation, LossOutput, policy_loss, reduce_stats
from medrl.metrics import GLOSSARY
from tests import oracles
from tests.medrl.batches import AGGREGATIONS, CLIP, CORRECTIONS, batch, reference_of


@pytest.mark.contract("3 loss variants", "aggregation × correction × dual clip: loss of a scalar oracle")
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("kind", [None, *CORRECTIONS])
@pytest.mark.parametrize("dual_clip", [None, 1.5])
@pytest.mark.parametrize("seed", range(4))
def test_loss_equals_the_oracle(aggregation: Aggregation, kind: str | None, dual_clip: float | None, seed: int) -> None:
    logp, old, rollout, advantages, mask = batch(seed)
    correction, low, high = CORRECTIONS[kind] if kind else (None, 0.0, 0.0)
    normaliser = 5.0 if aggregation == "constant" else None
    got = policy_loss(
        logp, old, advantages, mask, **CLIP, aggregation=aggregation, rollout_logp=rollout, correction=correction,
        dual_clip=dual_clip, normaliser=normaliser,
    )  # fmt: skip
    rows = old.tolist(), rollout.tolist(), mask.tolist()
    weight = oracles.weights(kind, *rows, low, high) if kind else None
    want = oracles.surrogate(
        logp.tolist(), old.tolist(), advantages.tolist(), mask.tolist(), 0.2, 0.28, aggregation, weight, dual_clip,
        normaliser,
    )  # fmt: skip
    assert got.loss.item() == pytest.approx(want, rel=1e-12)
    if weight is not None:
        means = reduce_stats([got.stats])
        flat = [
            w for row, acts in zip(weight, mask.tolist(), strict=True) for w, act in zip(row, acts, strict=True) if act
        ]
        assert means["rollout_corr/weight_mean"] == pytest.approx(fmean(flat))
        if any(flat):
            ess = sum(flat) ** 2 / sum(w * w for w in flat) / len(flat)
            assert means["rollout_corr/ess"] == pytest.approx(ess) and 0 < ess <= 1 + 1e-12


def test_every_statistic_is_in_the_glossary() -> None:
    logp, old, rollout, advantages, mask = batch(0)
    out = policy_loss(
        logp, old, advantages, mask, **CLIP, aggregation="token_mean", rollout_logp=rollout, correction=TruncatedIS(),
        dual_clip=3.0, ref_logp=old,
    )  # fmt: skip
    means = reduce_stats([out.stats])
    assert len(means) == 13 and means.keys() <= GLOSSARY.keys()


@pytest.mark.contract("3 loss variants", "dual clip: a bad token's loss and gradient are bounded")
def test_dual_clip_bounds_what_a_bad_token_can_do() -> None:
    logp = torch.log(torch.tensor([[9.0], [9.0], [1.2]])).requires_grad_()
    advantages = torch.tensor([-1.0, 1.0, -1.0])
    out = policy_loss(
        logp, torch.zeros(3, 1), advantages, torch.ones(3, 1, dtype=torch.bool), clip_low=0.2, clip_high=0.28,
        aggregation="token_mean", dual_clip=3.0,
    )  # fmt: skip
    out.loss.backward()
    assert out.loss.item() == pytest.approx((3.0 - 1.28 + 1.2) / 3)
    assert logp.grad is not None and logp.grad[:2].tolist() == [[0.0], [0.0]] and logp.grad[2].item() > 0
    assert reduce_stats([out.stats])["actor/dual_clipfrac"] == pytest.approx(1 / 3)


@pytest.mark.contract("1 exact gradient", "loss at ratio 1: gradient of E[log π·A]")
@pytest.mark.parametrize("seed", range(3))
def test_gradient_at_ratio_one_is_that_of_the_paper(seed: int) -> None:
    """L = E[log π(y|x) · A]: the surrogate at old = current has the same gradient."""
    logp, _, _, advantages, mask = batch(seed)
    policy_loss(logp, logp.detach(), advantages, mask, **CLIP, aggregation="sequence_sum").loss.backward()
    paper = logp.detach().clone().requires_grad_()
    (-((paper * mask).sum(dim=1) * advantages).mean()).backward()
    assert logp.grad is not None and paper.grad is not None
    assert torch.allclose(logp.grad, paper.grad, rtol=1e-12, atol=0)


def test_gradient_is_zero_where_clipped_and_not_where_clipping_would_hide_a_mistake() -> None:
    """Ratio above the range: no gradient for A > 0, full gradient for A < 0. Below it, the other way round."""
    old = torch.zeros(4, 1)
    logp = torch.log(torch.tensor([[1.5], [1.5], [0.5], [0.5]])).requires_grad_()
    advantages = torch.tensor([1.0, -1.0, 1.0, -1.0])
    out = policy_loss(logp, old, advantages, torch.ones(4, 1, dtype=torch.bool), **CLIP, aggregation="sequence_sum")
    out.loss.backward()
    assert logp.grad is not None
    assert (4 * logp.grad[:, 0]).tolist() == pytest.approx([0.0, 1.5, -0.5, 0.0])
    assert (out.stats["clip_high"], out.stats["clip_low"]) == (1.0, 1.0)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@settings(max_examples=20)
@given(seed=st.integers(0, 1000), cuts=st.lists(st.integers(0, 6), max_size=3))
def test_micro_batches_sum_to_the_whole(aggregation: Aggregation, seed: int, cuts: list[int]) -> None:
    """Loss, gradient and stats do not depend on how the batch is split, empty and all-masked parts included."""
    logp, old, rollout, advantages, mask = batch(seed)
    mask[4] = False
    options = {**CLIP, "aggregation": aggregation, "correction": TruncatedIS(1.5), "normaliser": 7.0, "kl": 0.3}
    reference = reference_of(logp, seed)
    whole = policy_loss(logp, old, advantages, mask, rollout_logp=rollout, ref_logp=reference, **options)
    whole.loss.backward()
    assert logp.grad is not None
    gradient = logp.grad.clone()
    logp.grad = None
    denominator = float(mask.sum() if aggregation == "token_mean" else mask.any(dim=1).sum())
    edges = [0, *sorted(cuts), 6]
    parts: list[LossOutput] = []
    for start, stop in itertools.pairwise(edges):
        rows = slice(start, stop)
        part = policy_loss(
            logp[rows],
            old[rows],
            advantages[rows],
            mask[rows],
            rollout_logp=rollout[rows],
            ref_logp=reference[rows],
            denominator=denominator,
            **options,
        )
        part.loss.backward()
        parts.append(part)
    assert sum(part.loss.item() for part in parts) == pytest.approx(whole.loss.item(), rel=1e-12)
    assert torch.allclose(logp.grad, gradient, rtol=1e-12, atol=0)
    assert reduce_stats(part.stats for part in parts) == pytest.approx(reduce_stats([whole.stats]))


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_masked_positions_never_touch_the_loss(aggregation: Aggregation, poison: float) -> None:
    logp, old, rollout, advantages, mask = batch(1)
    mask[5] = False
    options = {**CLIP, "aggregation": aggregation, "correction": TruncatedIS(1.5), "normaliser": 7.0, "kl": 0.3}
    reference = reference_of(logp, 1)
    clean = policy_loss(logp, old, advantages, mask, rollout_logp=rollout, ref_logp=reference, **options)
    clean.loss.backward()
    poisoned = [torch.where(mask, x.detach(), poison) for x in (logp, old, rollout, reference)]
    bad_logp = poisoned[0].requires_grad_()
    bad_advantages = advantages.clone()
    bad_advantages[5] = poison
    dirty = policy_loss(
        bad_logp,
        poisoned[1],
        bad_advantages,
        mask,
        rollout_logp=poisoned[2],
        ref_logp=poisoned[3],
        **options,
    )
    dirty.loss.backward()
    assert dirty.loss.item() == clean.loss.item()
    assert dirty.stats == clean.stats
    assert bad_logp.grad is not None and logp.grad is not None
    assert torch.equal(bad_logp.grad, logp.grad)
    assert (bad_logp.grad[~mask] == 0.0).all()


@pytest.mark.contract("4 masked positions", "micro-batch without actions, NaN everywhere: loss and gradient 0")
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_an_all_masked_micro_batch_runs_backward_to_zero(aggregation: Aggregation) -> None:
    logp = torch.full((2, 3), math.nan, requires_grad=True)
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    advantages = torch.tensor([math.nan, 1.0])
    out = policy_loss(logp, logp, advantages, nothing, **CLIP, aggregation=aggregation, denominator=4, normaliser=7.0)
    out.loss.backward()
    assert out.loss.item() == 0.0
    assert logp.grad is not None and (logp.grad == 0.0).all()
    with pytest.raises(ValueError, match="denominator"):
        policy_loss(logp, logp, advantages, nothing, **CLIP, aggregation=aggregation, normaliser=7.0)


def test_a_ratio_that_overflows_stays_finite() -> None:
    logp = torch.zeros(2, 1, requires_grad=True)
    out = policy_loss(
        logp,
        torch.full((2, 1), -500.0),
        torch.tensor([0.0, -1.0]),
        torch.ones(2, 1, dtype=torch.bool),
        **CLIP,
        aggregation="sequence_sum",
    )
    out.loss.backward()
    assert out.loss.item() == pytest.approx(math.exp(MAX_LOG_RATIO) / 2, rel=1e-5)
    assert logp.grad is not None and torch.isfinite(logp.grad).all()


def test_stats_reduce_to_means_over_action_tokens() -> None:
    logp, old, _, advantages, mask = batch(3)
    out = policy_loss(logp, old, advantages, mask, **CLIP, aggregation="token_mean")
    ratios = [math.exp(a - b) for a, b in zip(logp[mask].tolist(), old[mask].tolist(), strict=True)]
    means = reduce_stats([out.stats])
    assert means["actor/ratio_mean"] == pytest.approx(sum(ratios) / len(ratios))
    assert means["actor/approx_kl"] == pytest.approx(sum(r - 1 - math.log(r) for r in ratios) / len(ratios))
    signs = advantages[:, None].expand_as(logp)[mask].tolist()
    high = sum(r > 1.28 and s > 0 for r, s in zip(ratios, signs, strict=True)) / len(ratios)
    low = sum(r < 0.8 and s < 0 for r, s in zip(ratios, signs, strict=True)) / len(ratios)
    assert (means["actor/clipfrac_low"], means["actor/clipfrac_high"]) == pytest.approx((low, high))
    assert means["actor/clipfrac"] == pytest.approx(low + high)
    assert out.stats["tokens"] == len(ratios) and out.stats["sequences"] == 6


def test_bad_shapes_are_refused_by_name() -> None:
    logp, old, _, advantages, mask = batch(0)
    with pytest.raises(ValueError, match="old_logp"):
        policy_loss(logp, old[:, :3], advantages, mask, **CLIP, aggregation="token_mean")
    with pytest.raises(ValueError, match="advantages"):
        policy_loss(logp, old, advantages[:3], mask, **CLIP, aggregation="token_mean")
    with pytest.raises(ValueError, match="must be bool"):
        policy_loss(logp, old, advantages, mask.long(), **CLIP, aggregation="token_mean")
    with pytest.raises(ValueError, match=r"dual_clip=1\.0"):
        policy_loss(logp, old, advantages, mask, **CLIP, aggregation="token_mean", dual_clip=1.0)
    with pytest.raises(ValueError, match="denominator=0"):
        policy_loss(logp, old, advantages, mask, **CLIP, aggregation="token_mean", denominator=0)
