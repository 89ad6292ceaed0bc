"""The actors that play episodes: inference pool, rollout workers, reward actor."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from actors.meter import Reading
from actors.pool import InferencePool
from actors.reward import RewardService
from actors.rollout import GroupOutcome, OpenTools, Play, RolloutWorkers
from actors.signs import Sign
from envs.toolbox import open_toolbox
from envs.tools.selector import Selector
from medrl.config import Config
from medrl.seeds import derive_seed


class Life(NamedTuple):
    """An actor from a start to its end: one that is started again has another. `process` is 0 where the count is the
    controller's own, and goes on."""

    kind: str
    name: str
    process: int = 0


@dataclass(frozen=True, slots=True)
class Players:
    """Handles on the running actors; shared by training and evaluation."""

    pool: InferencePool
    workers: RolloutWorkers
    reward: RewardService

    def readings(self) -> dict[Life, Reading]:
        """What engines and rollout workers have had under way; the engines' are a second old under `watched`."""
        engines = {
            Life("engine", name, pulse.process): pulse.work
            for name, pulse in self.pool.pulses().items()
            if pulse.process
        }
        return engines | {Life("rollout", name): each for name, each in self.workers.readings().items()}

    def signs(self) -> dict[str, Sign]:
        """Of all actors here, by name."""
        return self.pool.signs() | self.workers.signs() | self.reward.signs()

    async def play(self, play: Play, seed: int) -> GroupOutcome:
        """The episodes of one question, with their rewards; those that could not be played or rated are outages."""
        outcome = await self.workers.play(play, seed)
        group, unrated = await self.reward.score(outcome.group)
        return GroupOutcome(group, (*outcome.outages, *unrated))

    async def play_all(
        self, plays: Sequence[Play], seed: int, on_group: Callable[[int], None] = lambda episodes: None
    ) -> list[GroupOutcome]:
        """`play` of each, side by side, in their order; `on_group(episodes done)` is called as they finish."""

        async def one(play: Play) -> GroupOutcome:
            outcome = await self.play(play, derive_seed(seed, play.question.id))
            on_group(play.samples)
            return outcome

        async with self.watched():
            tasks = [asyncio.create_task(one(play)) for play in plays]
            try:
                return await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """While in the block, engines that die or hang are started again; it ends if that cannot be done."""
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self.pool.watch())
                yield
                watch.cancel()
        except ExceptionGroup as failed:  # of one: what the block, or the watch, raised
            raise failed.exceptions[0] from None


@contextmanager
def start_players(
    config: Config,
    model: Path,
    knowledge: Path,
    open_tools: OpenTools = open_toolbox,
    selector: Selector | None = None,
) -> Iterator[Players]:
    """Start the actors on `model`, inside a running Ray session; episodes are played with `selector`'s advice."""
    pool = InferencePool(config, model)
    try:
        workers = RolloutWorkers(config, model, knowledge, pool, open_tools, selector)
        yield Players(pool, workers, RewardService(config))
    finally:
        pool.close()
