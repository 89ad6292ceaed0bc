import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch

from actors.rendezvous import Learnt
from launch.train import learn
from launch.trajectories import LearntEpisode, TrajectoryLog
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
        self.references: list[Any] = []

    async def reference_logprobs(self, samples: list[TrainSample]) -> list[list[float]]:
        return [[sample.advantage - 1.0] * len(sample.token_ids) for sample in samples]

    async def logprobs(self, samples: list[TrainSample]) -> list[list[float]]:
        return [[0.0] * len(sample.token_ids) for sample in samples]

    async def update(
        self, samples: list[TrainSample], objective: str, lr: float, old: Any, denominator: float, reference: Any
    ) -> Learnt:
        self.references.append(reference)
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
        return Learnt(
            {"loss": float(loss.detach())}, [[-sample.advantage] * len(sample.token_ids) for sample in samples]
        )


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


def episodes() -> list[TrainSample]:
    """Four; the third has no advantage. Tokens 1 and 3 are actions."""
    mask = [False, True, False, True]
    return [
        TrainSample([1] * 4, mask, [0.0, -1.5, 0.0, -2.5], advantage, f"q{index // 2}", index % 2)
        for index, advantage in enumerate((0.5, -0.25, 0.0, 1.0))
    ]


def test_what_was_learnt_from_keeps_the_learners_own_log_probs() -> None:
    _, learnt = asyncio.run(learn(OneWeight("sequence_sum"), episodes(), GRPOConfig(), step=0))  # type: ignore[arg-type]
    assert learnt == [
        LearntEpisode("q0", 0, 0.5, [-0.5, -0.5]),
        LearntEpisode("q0", 1, -0.25, [0.25, 0.25]),
        LearntEpisode("q1", 1, 1.0, [-1.0, -1.0]),
    ]


@pytest.mark.parametrize(("ratio", "value"), [("decoupled", 0.0), ("coupled", -1.0)])
def test_with_several_updates_they_are_from_before_the_first_where_those_are_known(ratio: Any, value: float) -> None:
    settings = GRPOConfig(updates_per_batch=2, ratio=ratio)
    _, learnt = asyncio.run(learn(OneWeight("sequence_sum"), episodes(), settings, step=0))  # type: ignore[arg-type]
    assert [(each.question_id, each.sample) for each in learnt] == [("q0", 0), ("q0", 1), ("q1", 1)]
    assert learnt[2].logprobs == [value, value]


def test_with_a_kl_term_every_episode_stays_and_meets_its_own_reference() -> None:
    learner = OneWeight("sequence_sum")
    settings = GRPOConfig(kl=0.1, updates_per_batch=2)
    stats, learnt = asyncio.run(learn(learner, episodes(), settings, step=0))  # type: ignore[arg-type]
    assert stats["actor/samples"] == len(learnt) == 4
    assert learner.references == [[[-0.5] * 4, [-1.0] * 4], [[-1.25] * 4, [0.0] * 4]]
    without = OneWeight("sequence_sum")
    asyncio.run(learn(without, episodes(), GRPOConfig(), step=0))  # type: ignore[arg-type]
    assert without.references == [None]


def test_the_file_beside_the_episodes_is_rounded_and_replaced_as_a_whole(tmp_path: Path) -> None:
    log = TrajectoryLog(tmp_path)
    sample = episodes()[0]
    path = log.write_learnt("grpo-0003", [LearntEpisode.of(sample, [9.0, -1.23456, 9.0, -0.00004])])
    assert path == tmp_path / "trajectories" / "grpo-0003.tokens.jsonl"
    line = '{"question_id":"q0","sample":0,"advantage":0.5,"logprobs":[-1.2346,-0.0]}'
    assert path.read_text() == line + "\n"
    log.write_learnt("grpo-0003", [])
    assert path.read_text() == "" and list(path.parent.iterdir()) == [path]


def test_an_older_attempt_at_a_step_leaves_no_log_probs_beside_the_new_episodes(tmp_path: Path) -> None:
    log = TrajectoryLog(tmp_path)
    log.write("grpo-0003", [])
    path = log.write_learnt("grpo-0003", [])
    log.write("grpo-0003", [])
    assert not path.exists()


def test_a_step_without_spread_updates_nothing() -> None:
    learner = OneWeight("sequence_sum")
    samples = train_samples([group_of(fakes.question(), 0.5, 0.5)], GRPOConfig(group_size=2))
    found = asyncio.run(learn(learner, samples, GRPOConfig(), step=0))  # type: ignore[arg-type]
    assert found == ({"actor/samples": 0.0}, [])
    assert learner.gradients == []
