import asyncio
from typing import Any

import pytest
import torch

from actors.rendezvous import Learnt
from launch.train import learn
from medrl.batch import train_samples
from medrl.grpo import policy_loss
from medrl.packing import TrainSample, collate
from medrl.sections.learning import GRPOConfig
from tests import fakes
from tests.medrl.episodes import group_of


class OneWeight:
    """A learner whose policy is one number, added to every log-prob; remembers the gradient of each update."""

    def __init__(self, aggregation: Any) -> None:
        self.aggregation = aggregation
        self.gradients: list[float] = []

    async def logprobs(self, samples: list[TrainSample]) -> list[list[float]]:
        return [[0.0] * len(sample.token_ids) for sample in samples]

    async def update(
        self, samples: list[TrainSample], objective: str, lr: float, old: Any, denominator: float, reference: Any
    ) -> Learnt:
        batch = collate(samples, pad_id=0)
        weight = torch.zeros((), requires_grad=True)
        logp = weight + torch.zeros(batch.input_ids.shape)
        loss = policy_loss(
            logp, logp.detach(), batch.advantages, batch.action_mask,
            clip_low=0.2, clip_high=0.28, aggregation=self.aggregation, denominator=denominator,
        ).loss  # fmt: skip
        loss.backward()
        assert weight.grad is not None
        self.gradients.append(float(weight.grad))
        return Learnt({"loss": float(loss.detach())}, [[-sample.advantage] * len(sample.token_ids) for sample in samples])


@pytest.mark.parametrize("updates", [1, 2])
@pytest.mark.parametrize("aggregation", ["sequence_sum", "token_mean", "sequence_mean"])
def test_leaving_out_what_teaches_nothing_changes_no_gradient(aggregation: Any, updates: int) -> None:
    samples = [
        TrainSample([1] * length, [False] + [True] * (length - 1), [0.0] * length, advantage)
        for length, advantage in ((3, 0.5), (7, -0.25), (9, 0.0), (4, 0.0), (3, 0.0), (6, 0.0))
    ]
    gradients = []
    for skip in (True, False):
        learner = OneWeight(aggregation)
        settings = GRPOConfig(aggregation=aggregation, skip_constant_groups=skip, updates_per_batch=updates)
        stats, learnt = asyncio.run(learn(learner, samples, settings, step=0))  # type: ignore[arg-type]
        assert len(learnt) == stats["actor/samples"]
        assert stats["actor/samples"] == (2.0 if skip else 6.0) and stats["actor/updates"] == updates
        gradients.append(sum(learner.gradients))
    assert gradients[0] == pytest.approx(gradients[1]) and gradients[0] != 0.0


def test_a_step_without_spread_updates_nothing() -> None:
    learner = OneWeight("sequence_sum")
    samples = train_samples([group_of(fakes.question(), 0.5, 0.5)], GRPOConfig(group_size=2))
    found = asyncio.run(learn(learner, samples, GRPOConfig(), step=0))  # type: ignore[arg-type]
    assert found == ({"actor/samples": 0.0}, [])
    assert learner.gradients == []
