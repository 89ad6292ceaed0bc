"""What a correction for another sampler does to the loss; that each loss is right is in test_grpo.py."""

import math
from typing import Any

import pytest
import torch

from medrl.corrections import Correction, GeometricRejection, IcePop, TruncatedIS
from medrl.grpo import policy_loss, reduce_stats
from tests.medrl.batches import CLIP, CORRECTIONS, batch


def test_each_correction_does_something() -> None:
    for kind, (correction, _, _) in CORRECTIONS.items():
        changed = []
        for seed in range(4):
            logp, old, rollout, advantages, mask = batch(seed)
            out = policy_loss(
                logp, old, advantages, mask, **CLIP, aggregation="sequence_sum", rollout_logp=rollout,
                correction=correction,
            )  # fmt: skip
            changed.append(reduce_stats([out.stats])["rollout_corr/changed"])
        assert 0 < sum(changed) / 4 < 1, kind


@pytest.mark.contract("5 corrections", "sampler = learner: no correction changes the loss")
@pytest.mark.parametrize("correction", [each for each, _, _ in CORRECTIONS.values()])
def test_a_sampler_that_agrees_is_not_corrected(correction: Correction) -> None:
    logp, old, _, advantages, mask = batch(1)
    options: Any = {**CLIP, "aggregation": "sequence_sum"}
    plain = policy_loss(logp, old, advantages, mask, **options)
    corrected = policy_loss(logp, old, advantages, mask, **options, rollout_logp=old, correction=correction)
    assert corrected.loss.item() == plain.loss.item()
    means = reduce_stats([corrected.stats])
    assert means["rollout_corr/ess"] == pytest.approx(1.0) and means["rollout_corr/kl"] == 0.0


@pytest.mark.parametrize(
    "make", [lambda: TruncatedIS(0.0), lambda: IcePop(1.1, 2.0), lambda: GeometricRejection(0.5, 1.0)]
)
def test_bounds_that_make_no_sense_are_refused(make: Any) -> None:
    with pytest.raises(ValueError, match=r"above 0|must be between"):
        make()


@pytest.mark.parametrize("correction", [IcePop(0.9, 1.1), GeometricRejection(0.9, 1.1)])
def test_a_batch_that_is_wholly_rejected_teaches_nothing_and_says_so(correction: Correction) -> None:
    logp = torch.zeros(2, 3, requires_grad=True)
    out = policy_loss(
        logp, logp.detach(), torch.tensor([1.0, -1.0]), torch.ones(2, 3, dtype=torch.bool), **CLIP,
        aggregation="token_mean", rollout_logp=logp.detach() - 2.0, correction=correction,
    )  # fmt: skip
    out.loss.backward()
    means = reduce_stats([out.stats])
    assert (means["rollout_corr/changed"], means["rollout_corr/ess"]) == (1.0, 0.0)
    assert means["rollout_corr/kl_k1"] == -2.0
    assert logp.grad is not None and not logp.grad.any()


def test_correction_weights_carry_no_gradient_and_are_capped() -> None:
    logp = torch.tensor([[0.0, 0.0]], requires_grad=True)
    rollout = torch.tensor([[-math.log(4.0), math.log(2.0)]])  # weights 4 and 0.5
    out = policy_loss(
        logp,
        logp,
        torch.tensor([1.0]),
        torch.ones(1, 2, dtype=torch.bool),
        **CLIP,
        aggregation="sequence_sum",
        rollout_logp=rollout,
        correction=TruncatedIS(3.0),
    )
    out.loss.backward()
    assert out.loss.item() == pytest.approx(-3.5)
    assert logp.grad is not None and logp.grad[0].tolist() == pytest.approx([-3.0, -0.5])
    means = reduce_stats([out.stats])
    assert means["rollout_corr/changed"] == 0.5
    assert means["rollout_corr/weight_mean"] == pytest.approx(1.75)
    k3 = [4.0 - 1.0 - math.log(4.0), 0.5 - 1.0 + math.log(2.0)]
    assert means["rollout_corr/kl"] == pytest.approx(sum(k3) / 2, rel=1e-6)
    with pytest.raises(ValueError, match="rollout_logp"):
        policy_loss(
            logp,
            logp,
            torch.ones(1),
            torch.ones(1, 2, dtype=torch.bool),
            **CLIP,
            aggregation="token_mean",
            correction=TruncatedIS(),
        )
