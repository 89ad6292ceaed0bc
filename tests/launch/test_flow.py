"""The flow without Ray: players and curriculum are stand-ins, the loop and the buffer are real."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from actors.rollout import GroupOutcome, Play
from launch.flow import Batch, Flow
from medrl.buffer import BufferState, dump_state, load_state
from medrl.config import Config, parse
from medrl.deadlines import within
from medrl.errors import InfrastructureError
from medrl.types import Question, RolloutGroup
from tests import fakes
from tests.medrl.episodes import group_of


class Players:
    """Takes a while for each play, longer for some; `down` plays end in an outage."""

    def __init__(self, seed: int = 0, down: Sequence[str] = (), error: Exception | None = None) -> None:
        self.rng = random.Random(seed)
        self.down, self.error = down, error
        self.under_way = 0
        self.most = 0
        self.seeds: dict[str, int] = {}

    async def play(self, play: Play, seed: int) -> GroupOutcome:
        assert self.seeds.setdefault(play.question.id, seed) == seed  # played again with the same seed
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.rng.expovariate(200.0))
        finally:
            self.under_way -= 1
        if self.error:
            raise self.error
        if play.question.id in self.down:
            return GroupOutcome(RolloutGroup(play.question, ()), ("engine-0 died",))
        return GroupOutcome(group_of(play.question, 0.0, 1.0), ())


class Curriculum:
    """Questions in order."""

    def __init__(self, asked: int = 0) -> None:
        self.state: dict[str, Any] = {"asked": asked}

    async def sample(self, count: int) -> list[Question]:
        await asyncio.sleep(0)  # others run meanwhile
        begin = self.state["asked"]
        self.state = {"asked": begin + count}
        return [fakes.question(id=f"q{number}") for number in range(begin, begin + count)]


def config(**grpo: Any) -> Config:
    return parse({"name": "t", "grpo": {"steps": 6, "groups_per_step": 3, "group_size": 2} | grpo}, "the test")


async def run(
    settings: Config, players: Players, steps: range, curriculum: Curriculum, state: BufferState
) -> tuple[list[Batch], BufferState, Curriculum]:
    batches = []
    async with Flow(settings, players, curriculum, state) as flow:  # type: ignore[arg-type]
        for step in steps:
            batches.append(await flow.take())
            await asyncio.sleep(0.005)  # the learner learns
            await flow.advance(step + 1)
        kept, asked = await flow.state()
    return batches, load_state(dump_state(kept)), Curriculum(asked["asked"])


def ids(batches: Sequence[Batch]) -> list[str]:
    return [group.question.id for batch in batches for group in batch.groups]


@pytest.mark.contract("6 staleness", "sync, one_step_off, async are settings of one loop: groups under way")
@pytest.mark.parametrize(("schedule", "most"), [("sync", 3), ("one_step_off", 6), ("async", 9)])
def test_a_schedule_bounds_what_is_under_way(schedule: str, most: int) -> None:
    players = Players()
    settings = config(schedule=schedule, max_staleness=2)
    batches, _, _ = asyncio.run(run(settings, players, range(6), Curriculum(), BufferState()))
    assert sorted(ids(batches)) == sorted(f"q{number}" for number in range(18))
    assert players.most == most


@pytest.mark.contract("9 resume", "in-flight questions are played again with the same seeds, nothing twice")
@pytest.mark.parametrize("schedule", ["sync", "one_step_off", "async"])
@pytest.mark.parametrize("cut", [1, 3, 5])
def test_what_was_in_flight_is_played_again_and_nothing_twice(schedule: str, cut: int) -> None:
    players = Players(seed=cut)
    settings = config(schedule=schedule)
    first, state, curriculum = asyncio.run(run(settings, players, range(cut), Curriculum(), BufferState()))
    second, _, _ = asyncio.run(run(settings, players, range(cut, 6), curriculum, state))
    assert sorted(ids(first + second)) == sorted(f"q{number}" for number in range(18))


@pytest.mark.contract("7 infrastructure failures", "an outage is refilled, reported, in no baseline")
def test_an_outage_is_reported_and_another_question_takes_its_place() -> None:
    batches, _, _ = asyncio.run(run(config(), Players(down=["q1", "q7"]), range(6), Curriculum(), BufferState()))
    assert [len(batch.groups) for batch in batches] == [3] * 6
    assert {"q1", "q7"}.isdisjoint(ids(batches))
    assert sorted(question.id for batch in batches for question in batch.unplayed) == ["q1", "q7"]
    assert [reason for batch in batches for reason in batch.outages] == ["engine-0 died"] * 2


def test_a_run_in_which_nothing_can_be_played_ends() -> None:
    down = [f"q{number}" for number in range(100)]
    with pytest.raises(InfrastructureError, match="no episode could be played; the first: engine-0 died"):
        asyncio.run(run(config(), Players(down=down), range(6), Curriculum(), BufferState()))


def test_what_ends_a_play_ends_the_run() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(run(config(), Players(error=ZeroDivisionError()), range(6), Curriculum(), BufferState()))


def test_what_ended_a_play_while_the_learner_learnt_is_raised_by_the_next_step() -> None:
    """Two of the next step's plays are done by then and one has failed: nothing more will wake `take`."""

    class Failing(Players):
        async def play(self, play: Play, seed: int) -> GroupOutcome:
            if play.question.id == "q4":
                raise ZeroDivisionError
            return await super().play(play, seed)

    async def two_steps() -> None:
        async with Flow(config(schedule="one_step_off"), Failing(), Curriculum(), BufferState()) as flow:  # type: ignore[arg-type]
            await flow.take()
            await asyncio.sleep(0.1)  # the learner learns; all plays end meanwhile
            await flow.advance(1)
            await flow.take()

    with pytest.raises(ZeroDivisionError):
        asyncio.run(within(5, two_steps()))


def test_questions_in_place_of_others_are_drawn_one_by_one() -> None:
    """So that what is drawn does not depend on how many are missing at a moment; the first step's come together."""

    class Counting(Curriculum):
        counts: ClassVar[list[int]] = []

        async def sample(self, count: int) -> list[Question]:
            self.counts.append(count)
            return await super().sample(count)

    down = ["q0", "q1", "q2", "q4"]
    curriculum = Counting()
    asyncio.run(run(config(), Players(down=down), range(6), curriculum, BufferState()))
    assert curriculum.counts == [3, 1, 1, 1, 1, *[3] * 5]
