"""The staleness bound, whatever the order in which groups finish; nothing is lost and nothing comes twice."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrl.buffer import BufferState, Finished, GroupBuffer, Ticket, dump_state, load_state
from medrl.errors import DataError
from medrl.sections.learning import GRPOConfig
from medrl.types import RolloutGroup
from tests import fakes
from tests.medrl.episodes import group_of

STEPS = 7
schedules = st.fixed_dictionaries(
    {
        "groups_per_step": st.integers(1, 5),
        "schedule": st.sampled_from(["sync", "one_step_off", "async"]),
        "max_staleness": st.integers(1, 4),
        "refill": st.sampled_from([0, 0, 3]),
        "in_flight": st.sampled_from([None, 0, 3]),
    }
)


def settings_of(values: dict[str, object]) -> GRPOConfig:
    values = dict(values)
    extra = values.pop("in_flight")
    if extra is not None:
        values["groups_in_flight"] = values["groups_per_step"] + values["refill"] + extra  # type: ignore[operator]
    return GRPOConfig(steps=STEPS, **values)  # type: ignore[arg-type]


class World:
    """Plays tickets in random order; some groups teach nothing, some fall to an outage."""

    def __init__(self, settings: GRPOConfig, rng: random.Random, outages: float) -> None:
        self.settings, self.rng, self.outages = settings, rng, outages
        self.buffer = GroupBuffer(settings)
        self.asked = 0
        self.admitted: list[int] = []
        self.failed: list[int] = []
        self.learnt: list[int] = []

    def admit(self) -> None:
        count = self.buffer.room()
        questions = [fakes.question(id=f"q{self.asked + place}") for place in range(count)]
        self.asked += count
        self.admitted += [ticket.index for ticket in self.buffer.admit(questions)]

    def finish_one(self) -> None:
        ticket = self.rng.choice(self.buffer.in_flight)
        if self.rng.random() < self.outages:
            self.failed.append(ticket.index)
            group = RolloutGroup(ticket.question, ())
        else:
            group = group_of(ticket.question, *([1.0, 0.0] if self.rng.random() < 0.5 else [0.0, 0.0]))
        self.buffer.put(Finished(ticket, group))
        self.admit()

    def step(self, version: int) -> list[Finished]:
        self.admit()
        for _ in range(self.rng.randrange(4)):
            if self.buffer.in_flight:
                self.finish_one()
        while (taken := self.buffer.take()) is None:
            self.finish_one()  # raises if nothing is in flight: the step would wait for ever
        self.admit()
        for _ in range(self.rng.randrange(4)):  # while the learner learns
            if self.buffer.in_flight:
                self.finish_one()
        self.buffer.advance(version + 1)
        played = [each for each in taken if each.group.rollouts]
        self.learnt += [each.ticket.index for each in played]
        return played


@pytest.mark.contract("6 staleness", "random finishing, outages, refill, restarts: learnt once, within the bound")
@given(schedules, st.integers(0, 10_000), st.sampled_from([0.0, 0.2]), st.booleans())
def test_every_group_is_learnt_from_once_and_in_time(
    values: dict[str, object], seed: int, outages: float, interrupted: bool
) -> None:
    settings = settings_of(values)
    world = World(settings, random.Random(seed), outages)
    for version in range(STEPS):
        played = world.step(version)
        for each in played:
            assert 0 <= version - each.ticket.version <= settings.staleness
        teaching = sum(world.buffer.teaches(each.group) for each in played)
        counted = len(played) - min(len(played) - teaching, settings.refill)
        if settings.refill == 0:
            assert len(played) == settings.groups_per_step
        assert counted >= settings.groups_per_step
        if settings.groups_in_flight is not None:
            assert len(world.buffer.in_flight) <= settings.groups_in_flight
        if interrupted:
            world.buffer = GroupBuffer(settings, load_state(dump_state(world.buffer.state())))
    assert len(world.learnt) == len(set(world.learnt))
    waiting = {ticket.index for ticket in world.buffer.in_flight}
    left = {each.ticket.index for each in world.buffer.state().finished if each.group.rollouts}
    assert set(world.admitted) == set(world.learnt) | set(world.failed) | waiting | left
    assert len(world.admitted) == len(set(world.admitted))
    if settings.refill == 0:
        assert not waiting and not left  # nothing was played in vain


def test_one_step_off_plays_the_next_step_while_this_one_is_learnt_from() -> None:
    settings = GRPOConfig(steps=3, groups_per_step=2, schedule="one_step_off")
    buffer = GroupBuffer(settings)
    assert buffer.room() == 4
    tickets = buffer.admit([fakes.question(id=f"q{place}") for place in range(4)])
    for ticket in (tickets[3], tickets[0]):
        buffer.put(Finished(ticket, group_of(ticket.question, 1.0, 0.0)))
    # All four are due by version 1, and two of them make this step: whichever finished.
    assert [each.ticket.index for each in buffer.take() or []] == [0, 3]
    assert buffer.room() == 0
    buffer.advance(1)
    assert buffer.room() == 2  # step 2's, and no more: the run has three steps
    buffer.admit([fakes.question(id="q4"), fakes.question(id="q5")])
    assert buffer.room() == 0


def test_a_group_that_is_due_is_waited_for() -> None:
    settings = GRPOConfig(steps=9, groups_per_step=1, schedule="async", max_staleness=2, groups_in_flight=2)
    buffer = GroupBuffer(settings)
    slow, quick = buffer.admit([fakes.question(id="slow"), fakes.question(id="quick")])
    for version in range(2):
        buffer.put(Finished(quick, group_of(quick.question, 1.0, 0.0)))
        assert [each.ticket for each in buffer.take() or []] == [quick]
        buffer.advance(version + 1)
        [quick] = buffer.admit([fakes.question(id=f"quick {version}")])
    buffer.put(Finished(quick, group_of(quick.question, 1.0, 0.0)))
    assert buffer.take() is None  # version 2: the slow one, admitted at 0, would be too stale later
    buffer.put(Finished(slow, group_of(slow.question, 1.0, 0.0)))
    assert [each.ticket for each in buffer.take() or []] == [slow]


def test_a_state_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match="another checkpoint"):
        load_state('{"admitted": "x"}')
    state = replace(BufferState(), in_flight=(Ticket(0, 0, fakes.question()),))
    assert load_state(dump_state(state)) == state
