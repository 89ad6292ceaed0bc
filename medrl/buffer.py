"""Groups on their way from admission to their update: bounded, and never staler than the schedule allows.

    admit -> ticket (played, scored) -> put -> take: the groups of one step

A group admitted while the policy had version v is learnt from by version v + staleness at the latest, since its
tokens are of v or newer. Three rules see to that:

- admission: groups admitted and not yet learnt from fit into the steps that the bound leaves them;
- a step takes what has finished, oldest first, so that a slow group holds up nobody;
- a step waits for a group if it, or one behind it, could not be taken in time otherwise.

Staleness 0 is the synchronous loop, 1 is one step off. Pure: no clock, no randomness, and the state is JSON.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from medrl.errors import DataError
from medrl.metrics import is_constant, is_mixed
from medrl.sections.learning import GRPOConfig
from medrl.types import Question, RolloutGroup


@dataclass(frozen=True, slots=True)
class Ticket:
    """A question under way: the `index`-th that was admitted, while the policy had `version`."""

    index: int
    version: int
    question: Question


@dataclass(frozen=True, slots=True)
class Finished:
    """A scored group. `outages`: why episodes of it are missing, all of them where infrastructure failed it."""

    ticket: Ticket
    group: RolloutGroup
    outages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BufferState:
    """All that a buffer holds. `in_flight` are to be played again by whoever resumes."""

    admitted: int = 0
    version: int = 0
    in_flight: tuple[Ticket, ...] = ()
    finished: tuple[Finished, ...] = field(default=())


_STATE = TypeAdapter(BufferState)


class GroupBuffer:
    """What is in flight, what has finished, and how much more may be admitted."""

    def __init__(self, settings: GRPOConfig, state: BufferState | None = None) -> None:
        state = state or BufferState()
        self._settings = settings
        self._admitted = state.admitted
        self._version = state.version
        self._in_flight = {ticket.index: ticket for ticket in state.in_flight}
        self._finished = {each.ticket.index: each for each in state.finished}
        self._taken = False  # whether the step at `version` has its groups

    @property
    def in_flight(self) -> list[Ticket]:
        """Tickets that are not finished, oldest first."""
        return list(self._in_flight.values())

    @property
    def unplayed(self) -> list[Finished]:
        """Those of which no episode could be played, since the last step took its groups."""
        return [each for each in self._finished.values() if not each.group.rollouts]

    def room(self) -> int:
        """How many questions may be admitted now.

        Enough for the steps that the bound allows, this one included if it has not taken its groups; never more than
        the run has steps for, nor than `grpo.groups_in_flight` together.
        """
        settings = self._settings
        last = min(self._version + settings.staleness, settings.steps - 1)
        steps = last - self._version + (0 if self._taken else 1)
        outstanding = len(self._in_flight) + self._counted(list(self._finished.values()))
        room = steps * settings.groups_per_step - outstanding
        if settings.groups_in_flight is not None:
            held = len(self._in_flight) + len(self._finished) - len(self.unplayed)
            room = min(room, settings.groups_in_flight - held)
        return max(0, room)

    def admit(self, questions: Sequence[Question]) -> list[Ticket]:
        """Tickets for questions that are now to be played."""
        tickets = [Ticket(self._admitted + place, self._version, each) for place, each in enumerate(questions)]
        self._admitted += len(tickets)
        self._in_flight |= {ticket.index: ticket for ticket in tickets}
        return tickets

    def put(self, finished: Finished) -> None:
        """A group that was played and scored. One without any episode fills no step: its place is free again."""
        del self._in_flight[finished.ticket.index]
        self._finished[finished.ticket.index] = finished

    def take(self) -> list[Finished] | None:
        """The groups of the step at this version, and those that were not played; None while it has to wait."""
        if self._taken:
            raise ValueError(f"the step of version {self._version} has its groups: advance first")
        rest = dict(sorted(self._finished.items()))
        batch = [rest.pop(index) for index in list(rest) if not rest[index].group.rollouts]
        while rest and self._counted(batch) < self._settings.groups_per_step:
            batch.append(rest.pop(next(iter(rest))))
        if self._counted(batch) < self._settings.groups_per_step:
            return None
        for deadline in range(self._version, self._version + self._settings.staleness + 1):
            # Of what must be learnt from by then, the steps in between can take so many.
            later = (deadline - self._version) * self._settings.groups_per_step
            waiting = sum(self._deadline(ticket) <= deadline for ticket in self._in_flight.values())
            due = [index for index, each in rest.items() if self._deadline(each.ticket) <= deadline]
            excess = waiting + len(due) - later
            if excess > len(due):
                return None
            batch += [rest.pop(index) for index in due[: max(0, excess)]]
        for each in batch:
            del self._finished[each.ticket.index]
        self._taken = True
        return batch

    def advance(self, version: int) -> None:
        """The step is learnt from: the policy now has `version`."""
        self._version = version
        self._taken = False

    def teaches(self, group: RolloutGroup) -> bool:
        """Whether a group has any advantage to learn from."""
        return is_mixed(group) if self._settings.learn_from == "mixed" else not is_constant(group)

    def state(self) -> BufferState:
        """Everything; between two steps."""
        return BufferState(
            self._admitted, self._version, tuple(self._in_flight.values()), tuple(self._finished.values())
        )

    def _counted(self, groups: Sequence[Finished]) -> int:
        """Groups that fill a step: up to `grpo.refill` of those that teach nothing do not."""
        played = [each.group for each in groups if each.group.rollouts]
        idle = sum(not self.teaches(group) for group in played) if self._settings.refill else 0
        return len(played) - min(idle, self._settings.refill)

    def _deadline(self, ticket: Ticket) -> int:
        return ticket.version + self._settings.staleness


def dump_state(state: BufferState) -> str:
    """As JSON."""
    return _STATE.dump_json(state).decode()


def load_state(text: str | bytes) -> BufferState:
    """Inverse of `dump_state`. Raises DataError if it is not one."""
    try:
        return _STATE.validate_json(text)
    except ValueError as error:
        raise DataError(f"not the state of a buffer ({error}): resume from another checkpoint") from error
