"""A stage whose learner is lost goes on from its last checkpoint, in SFT and for any work."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.rendezvous import Learnt
from launch.checkpoints import Checkpoints, Standing
from launch.recovery import with_learner
from launch.sft import finetune
from medrl.config import parse
from medrl.errors import LearnerLost
from medrl.packing import TrainSample
from medrl.types import Rollout
from tests.medrl.episodes import FIND_DISEASE, episode, final


class Learner:
    """Sums up what it is given; is lost at the updates in `lost_at`, once each."""

    def __init__(self, lost_at: list[int]) -> None:
        self.lost_at = lost_at
        self.total = 0.0
        self.updates = 0

    async def update(self, samples: list[TrainSample], objective: str, lr: float) -> Learnt:
        if self.updates in self.lost_at:
            self.lost_at.remove(self.updates)
            raise LearnerLost("learner-0 died in update: killed")
        self.updates += 1
        self.total += lr * sum(sum(sample.token_ids) for sample in samples)
        return Learnt({"loss": self.total}, [])

    async def save_checkpoint(self, folder: Path) -> None:
        (folder / "learner").write_text(f"{self.updates} {self.total!r}")

    async def load_checkpoint(self, folder: Path) -> None:
        updates, total = (folder / "learner").read_text().split()
        self.updates, self.total = int(updates), float(total)


class Tracker:
    def __init__(self) -> None:
        self.steps: list[int] = []

    def log(self, metrics: dict[str, float], *, step: int, stage: str) -> None:
        self.steps.append(step)


def trajectories() -> list[Rollout]:
    """Each with tokens of its own."""
    found = []
    for number in range(7):
        one = episode(FIND_DISEASE, final("FBN1"))
        one.token_ids = [number + token for token in one.token_ids]
        found.append(one)
    return found


def finetuned(folder: Path, lost_at: list[int]) -> tuple[float, list[int]]:
    settings = {"updates": 12, "batch_trajectories": 3}
    config = parse({"name": "t", "sft": settings, "checkpoint": {"sft_every": 4}}, "the test")
    checkpoints, tracker = Checkpoints(folder), Tracker()

    @contextmanager
    def start() -> Iterator[Any]:
        yield Learner(lost_at)

    async def work(learner: Any) -> float:
        await finetune(config, learner, trajectories(), {}, tracker, checkpoints)  # type: ignore[arg-type]
        return float(learner.total)

    return asyncio.run(with_learner(start, work, checkpoints, restarts=2)), tracker.steps


@pytest.mark.contract("9 resume", "SFT under a lost learner: the same sum of updates as without")
def test_sft_goes_on_with_the_batches_that_are_left(tmp_path: Path) -> None:
    want, steps = finetuned(tmp_path / "quiet", [])
    assert steps == list(range(12)) and want > 0
    got, steps = finetuned(tmp_path / "lost", [2, 6, 7])
    assert got == want
    assert steps == [0, 1, *range(4), *range(4, 6), *range(4, 7), *range(4, 12)]


def test_a_learner_that_is_lost_again_and_again_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(LearnerLost, match="killed"):
        finetuned(tmp_path, [5] * 9)
    assert Checkpoints(tmp_path).last is not None


def test_a_new_checkpoint_makes_up_for_losses_before_it(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    calls = 0

    @contextmanager
    def start() -> Iterator[Any]:
        yield None

    async def work(learner: Any) -> int:
        nonlocal calls
        calls += 1
        if calls in (2, 4):
            with checkpoints.writing(Standing(calls)):
                pass
        if calls < 6:
            raise LearnerLost("again")
        return calls

    assert asyncio.run(with_learner(start, work, checkpoints, restarts=2)) == 6
