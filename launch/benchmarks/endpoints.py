"""Episodes of models behind OpenAI-compatible endpoints: the same environment and tools, by chat messages."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path

from transformers import AutoTokenizer

from actors.rollout import persist
from envs.conversation import converse
from envs.network.endpoint import Endpoint
from envs.network.outcomes import Item as Asked
from envs.network.outcomes import SetAside, Tally
from envs.react import ReactEnv
from envs.toolbox import open_toolbox, open_vocabulary, subset
from envs.tools.base import Tool
from envs.tools.selector import Advisor, Selector
from launch.benchmarks.episode import Episode
from medrl.chat import ChatCodec
from medrl.config import Config
from medrl.errors import ConfigError, InfrastructureError
from medrl.sections.endpoint import EndpointConfig
from medrl.seeds import derive_seed
from medrl.types import Message, Rollout


class Endpoints:
    """Tools are opened in this process, when they are first needed; `base_model`'s tokenizer counts the tokens."""

    def __init__(self, config: Config, base_model: Path, knowledge: Path) -> None:
        self._config, self._base_model, self._knowledge = config, base_model, knowledge

    def play(
        self, model: EndpointConfig, episodes: Sequence[Episode], temperature: float, on_end: Callable[[], None]
    ) -> list[str]:
        """Play them all; returns why some could not be played.

        Raises InfrastructureError when the endpoint is down, or never would answer a request.
        """
        try:
            return asyncio.run(self._play(model.model_copy(update={"temperature": temperature}), episodes, on_end))
        except ExceptionGroup as failed:
            first = failed.exceptions[0]
            if isinstance(first, _Refusal):
                raise InfrastructureError(str(first)) from first.__cause__
            raise first from first.__cause__

    async def _play(self, model: EndpointConfig, episodes: Sequence[Episode], on_end: Callable[[], None]) -> list[str]:
        outages: list[str] = []
        tally = Tally([Asked(episode.name, (), str) for episode in episodes])
        waiting = iter(episodes)

        async def worker(client: Endpoint) -> None:
            for episode in waiting:
                result = await persist(partial(self._episode, episode, client), self._config.rollout.attempts)
                match result:
                    case SetAside():
                        outages.append(f"{episode.name}: {result}")
                        with _of_the_agent():
                            tally.failed(episode.name, result)
                    case InfrastructureError():
                        outages.append(f"{episode.name}: {result}")
                    case Rollout():
                        episode.results.add(result)
                        tally.answered(episode.name, "")
                on_end()

        async with Endpoint(model, seed=derive_seed("benchmark")) as client, asyncio.TaskGroup() as group:
            for _ in range(min(model.concurrency, len(episodes))):
                group.create_task(worker(client))
        return outages

    async def _episode(self, episode: Episode, client: Endpoint, _attempt: int) -> Rollout:
        config, whole = self._config, episode.tools.play is None
        tools = subset(self._tools, episode.tools.tools) if episode.tools.tools else {}
        env = ReactEnv(
            episode.question,
            tools,
            self._codec,
            config.env,
            config.model.max_length,
            episode.sample,
            self._advisor if whole and config.env.tool_hint else None,
        )

        async def reply(said: Sequence[Message], room: int) -> str:
            with _of_the_agent():
                return await client.ask(said, parse=lambda text: text.strip() or None)

        await converse(env, self._codec, reply)
        return env.rollout()

    @cached_property
    def _codec(self) -> ChatCodec:
        return ChatCodec(AutoTokenizer.from_pretrained(self._base_model))

    @cached_property
    def _tools(self) -> Mapping[str, Tool]:
        return open_toolbox(self._knowledge, self._config.knowledge)

    @cached_property
    def _advisor(self) -> Advisor:
        vocabulary = open_vocabulary(self._knowledge, self._config.knowledge)
        return Advisor(Selector.load(self._config.tool_choice_path), vocabulary)


class _Refusal(Exception):
    """The endpoint would answer no request: the failure of one agent. Not an InfrastructureError yet, under which the
    episode would be tried again."""


@contextmanager
def _of_the_agent() -> Iterator[None]:
    """Tells what the agent's endpoint refuses from what a tool meets, which may ask an endpoint of its own."""
    try:
        yield
    except ConfigError as error:
        raise _Refusal(str(error)) from error
