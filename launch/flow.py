"""The flow of groups: the curriculum's questions are played and scored side by side, while the learner learns.

    curriculum -> admit -> Players.play (workers, engines, reward) -> buffer -> take

One asyncio loop, that of the controller; what is admitted and taken when is the buffer's decision (`medrl.buffer`).
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from actors.curriculum import CurriculumService, CurriculumState
from actors.rollout import Play
from launch.players import Players
from medrl.buffer import BufferState, Finished, GroupBuffer, Ticket
from medrl.config import Config
from medrl.deadlines import within
from medrl.errors import InfrastructureError, Stalled
from medrl.seeds import derive_seed
from medrl.types import Question, RolloutGroup


@dataclass(frozen=True, slots=True)
class Batch:
    """The groups of one step. `unplayed`: questions of which no episode could be played, since the last step took its
    own. `outages`: why episodes are missing."""

    groups: list[RolloutGroup]
    unplayed: list[Question]
    outages: list[str]

    @property
    def episodes(self) -> int:
        return sum(len(group.rollouts) for group in self.groups)


class Flow:
    """Plays what the buffer has room for; `take` gives a step its groups, `advance` lets the next ones in."""

    def __init__(
        self,
        config: Config,
        players: Players,
        curriculum: CurriculumService,
        state: BufferState,
        on_group: Callable[[int], None] = lambda episodes: None,
    ) -> None:
        """`state`: what the last checkpoint held; its tickets in flight are played again, with the same seeds."""
        self._config = config
        self._players = players
        self._curriculum = curriculum
        self._buffer = GroupBuffer(config.grpo, state)
        self._on_group = on_group
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._admitting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        for ticket in self._buffer.in_flight:
            self._start(self._play(ticket))
        await self._admit()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def take(self) -> Batch:
        """The groups of the step at this version. Raises what ended a play, now or since the last step; Stalled when
        nothing finishes any more."""
        while (taken := self._buffer.take()) is None:
            self._changed.clear()
            self._raise_failures()  # one that failed before is not heard of again
            try:
                await within(2 * self._config.rollout.timeout_s, self._changed.wait())
            except TimeoutError as error:
                raise Stalled(f"{len(self._buffer.in_flight)} groups are in flight and none finishes") from error
            self._raise_failures()
            unplayed = self._buffer.unplayed
            if len(unplayed) > 2 * self._config.grpo.groups_per_step:
                raise InfrastructureError(f"no episode could be played; the first: {unplayed[0].outages[0]}")
        await self._admit()
        return Batch(
            [each.group for each in taken if each.group.rollouts],
            [each.ticket.question for each in taken if not each.group.rollouts],
            [reason for each in taken for reason in each.outages],
        )

    async def advance(self, version: int) -> None:
        """The pool has the weights of `version`, and the curriculum knows the step: play what there is room for now."""
        self._buffer.advance(version)
        await self._admit()

    async def state(self) -> tuple[BufferState, CurriculumState]:
        """Buffer and curriculum as they stand between two admissions, for a checkpoint between two steps."""
        async with self._admitting:
            return self._buffer.state(), self._curriculum.state

    async def _admit(self) -> None:
        async with self._admitting:
            while room := self._buffer.room():
                # A step's questions together; those in place of others one by one, so that what is drawn does not
                # depend on how many are found missing at once.
                count = a_step if room >= (a_step := self._config.grpo.groups_per_step) else 1
                for ticket in self._buffer.admit(await self._curriculum.sample(count)):
                    self._start(self._play(ticket))

    async def _play(self, ticket: Ticket) -> None:
        settings = self._config.grpo
        play = Play(ticket.question, settings.group_size, settings.temperature)
        outcome = await self._players.play(play, derive_seed(self._config.seed, "grpo", ticket.index))
        finished = Finished(ticket, outcome.group, outcome.outages)
        self._buffer.put(finished)
        self._on_group(len(outcome.group.rollouts))
        await self._admit()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            self._tasks.discard(task)  # one that failed stays, for `take` to raise
        self._changed.set()

    def _raise_failures(self) -> None:
        for task in self._tasks:
            if task.done() and (error := task.exception()) is not None:
                raise error
