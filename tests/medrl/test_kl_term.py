"""The KL term to a reference (arXiv:2402.03300 eq. 3, 4) against a scalar oracle and autograd of the plain formula."""

import math
from statistics import fmean
from typing import Any

import pytest
import torch

from medrl.grpo import Aggregation, policy_loss, reduce_stats
from tests import oracles
from tests.medrl.batches import AGGREGATIONS, CLIP, CORRECTIONS, batch, reference_of


@pytest.mark.contract("3 loss variants", "KL to a reference × aggregation × correction: loss of a scalar oracle")
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("kind", [None, *CORRECTIONS])
@pytest.mark.parametrize("seed", range(4))
def test_kl_term_equals_the_oracle(aggregation: Aggregation, kind: str | None, seed: int) -> None:
    logp, old, rollout, advantages, mask = batch(seed)
    reference = reference_of(logp, seed)
    correction, low, high = CORRECTIONS[kind] if kind else (None, 0.0, 0.0)
    normaliser = 5.0 if aggregation == "constant" else None
    got = policy_loss(
        logp, old, advantages, mask, **CLIP, aggregation=aggregation, rollout_logp=rollout, correction=correction,
        dual_clip=1.5, normaliser=normaliser, ref_logp=reference, kl=0.3,
    )  # fmt: skip
    weight = oracles.weights(kind, old.tolist(), rollout.tolist(), mask.tolist(), low, high) if kind else None
    want = oracles.surrogate(
        logp.tolist(), old.tolist(), advantages.tolist(), mask.tolist(), 0.2, 0.28, aggregation, weight, 1.5,
        normaliser, reference.tolist(), 0.3,
    )  # fmt: skip
    assert got.loss.item() == pytest.approx(want, rel=1e-12)
    away = [r - p for r, p in zip(reference[mask].tolist(), logp[mask].tolist(), strict=True)]
    assert reduce_stats([got.stats])["actor/kl_ref"] == pytest.approx(fmean(math.exp(x) - x - 1 for x in away))


@pytest.mark.contract("1 exact gradient", "KL to a reference: gradient by autograd of the plain formula, float64")
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("seed", range(3))
def test_gradient_of_the_kl_term_is_that_of_the_formula(aggregation: Aggregation, seed: int) -> None:
    logp, old, _, advantages, mask = batch(seed)
    reference = reference_of(logp, seed)
    options: Any = {**CLIP, "aggregation": aggregation, "normaliser": 5.0}
    policy_loss(logp, old, advantages, mask, **options, ref_logp=reference, kl=0.3).loss.backward()
    plain = logp.detach().clone().requires_grad_()
    without = policy_loss(plain, old, advantages, mask, **options).loss
    odds = reference.exp() / plain.exp()
    per_token = (odds - odds.log() - 1) * mask
    rows = per_token.sum(dim=1)
    lengths = mask.sum(dim=1)
    term = {
        "sequence_sum": rows.mean(),
        "sequence_mean": (rows / lengths).mean(),
        "token_mean": rows.sum() / lengths.sum(),
        "constant": (rows / 5.0).mean(),
    }[aggregation]
    (without + 0.3 * term).backward()
    assert logp.grad is not None and plain.grad is not None
    assert torch.allclose(logp.grad, plain.grad, rtol=1e-10, atol=1e-14)
    policy_only = logp.detach().clone().requires_grad_()
    policy_loss(policy_only, old, advantages, mask, **options).loss.backward()
    assert policy_only.grad is not None and not torch.allclose(logp.grad, policy_only.grad, rtol=1e-3)


def test_the_reference_pulls_from_however_far() -> None:
    """A sampled token that the reference would all but never give is what the term is there for."""
    logp = torch.tensor([[-0.5, -0.5]], requires_grad=True)
    mask, nothing = torch.ones(1, 2, dtype=torch.bool), torch.zeros(1)
    policy_loss(
        logp, logp.detach(), nothing, mask, **CLIP, aggregation="sequence_sum",
        ref_logp=torch.tensor([[-3.0, -40.0]]), kl=1.0,
    ).loss.backward()  # fmt: skip
    assert logp.grad is not None
    assert logp.grad[0].tolist() == pytest.approx([1 - math.exp(-2.5), 1.0])


def test_without_a_kl_weight_the_reference_is_measured_and_changes_nothing() -> None:
    logp, old, _, advantages, mask = batch(2)
    options: Any = {**CLIP, "aggregation": "token_mean"}
    found = []
    for others in ({}, {"ref_logp": reference_of(logp, 2)}):
        own = logp.detach().clone().requires_grad_()
        out = policy_loss(own, old, advantages, mask, **options, **others)
        out.loss.backward()
        found.append((out, own.grad))
    (plain, plain_grad), (measured, measured_grad) = found
    assert plain.loss.item() == measured.loss.item() and torch.equal(plain_grad, measured_grad)
    assert "kl_ref" not in plain.stats and measured.stats["kl_ref"] > 0
    for bad, named in (({"kl": 0.1}, "needs ref_logp"), ({"kl": -1.0}, "kl=-1.0"), ({"kl": math.nan}, "kl=nan")):
        with pytest.raises(ValueError, match=named):
            policy_loss(logp, old, advantages, mask, **options, **bad)


def test_a_policy_that_is_its_reference_is_not_pulled() -> None:
    logp, _, _, _, mask = batch(3)
    nothing = torch.zeros(6, dtype=torch.float64)
    out = policy_loss(
        logp, logp.detach(), nothing, mask, **CLIP, aggregation="sequence_sum", ref_logp=logp.detach(), kl=1.0
    )
    out.loss.backward()
    assert out.loss.item() == 0.0
    assert logp.grad is not None and not logp.grad.any()
