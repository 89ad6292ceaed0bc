"""Episodes of models whose weights are here, on the actors that training uses."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from actors import placement
from actors.rollout import Play
from actors.shared_folders import require_shared
from envs.tools.selector import Selector
from launch.benchmarks.agents import Agent
from launch.benchmarks.episode import Episode
from launch.players import Players, start_players, watched
from medrl.config import Config
from medrl.errors import InfrastructureError
from medrl.seeds import derive_seed

TOGETHER = 1000
"""Episodes handed to the rollout workers at once; how many of them are under way is theirs to say."""


class Engines:
    """Started when they are first needed. Checkpoints of the run take turns on the same engines; others have theirs."""

    def __init__(self, config: Config, base_model: Path, knowledge: Path) -> None:
        self._config, self._base_model, self._knowledge = config, base_model, knowledge
        self._stack = ExitStack()
        self._players: Players | None = None
        self._of = self._holds = base_model

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    @contextmanager
    def holding(self, agent: Agent, model: Path) -> Iterator[Players]:
        """Actors that hold the agent's weights, `model`. Those that an InfrastructureError, in the block or at their
        start, went through are ended, so that the next agent gets others."""
        own = self._base_model if agent.is_checkpoint else model
        try:
            if self._players is None or self._of != own:
                self._close()
                self._players = self._opened(own)
                self._of = self._holds = own
            if model != self._holds:
                self._players.pool.load(model)
                self._holds = model
            yield self._players
        except InfrastructureError:
            self._close()
            raise

    def _close(self) -> None:
        self._players = None
        self._stack.close()

    def _opened(self, model: Path) -> Players:
        config = self._config
        self._stack.enter_context(placement.session(config))
        cache = Path(config.knowledge.cache).expanduser()
        require_shared({"the model": model}, {"knowledge.cache": cache, "run_dir": config.run_path})
        selector = Selector.load(config.tool_choice_path) if config.env.tool_hint else None
        return self._stack.enter_context(start_players(config, model, self._knowledge, selector=selector))


def play(
    players: Players, episodes: Sequence[Episode], temperature: float, seed: int, on_end: Callable[[], None]
) -> list[str]:
    """Play them all; returns why some could not be played. Raises InfrastructureError if the engines fail."""
    return asyncio.run(_play(players, episodes, temperature, seed, on_end))


async def _play(
    players: Players, episodes: Sequence[Episode], temperature: float, seed: int, on_end: Callable[[], None]
) -> list[str]:
    outages: list[str] = []
    places = asyncio.Semaphore(TOGETHER)

    async def one(episode: Episode) -> None:
        play = Play(episode.question, 1, temperature, episode.sample, episode.tools.play)
        async with places:  # rewards are of training: no reward actor, and so no judge of theirs, is asked
            outcome = await players.workers.play(play, derive_seed(seed, "benchmark", episode.item.id))
        for rollout in outcome.group.rollouts:
            episode.results.add(rollout)
        outages.extend(f"{episode.name}: {reason}" for reason in outcome.outages)
        on_end()

    async with watched(players.pool):
        tasks = [asyncio.create_task(one(episode)) for episode in episodes]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
    return outages
