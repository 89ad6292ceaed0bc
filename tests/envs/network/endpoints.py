"""What the tests of an endpoint ask, and the client that they ask with."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from envs.network.endpoint import Endpoint
from envs.network.outcomes import Item, Outcome
from medrl.sections.endpoint import EndpointConfig
from medrl.types import Message
from tests.envs.asking import KEY
from tests.misbehaving import MisbehavingServer

T = TypeVar("T")
DEFAULTS = {"model": "m", "timeout_s": 30.0, "key_variable": "OPENAI_API_KEY"}


def integer(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def item(name: str) -> Item[int]:
    return Item(name, [Message("user", name)], integer)


class Client:
    """Endpoints whose pauses are noted and not waited for."""

    def __init__(self, server: MisbehavingServer, **settings: object) -> None:
        self.config = EndpointConfig.model_validate(DEFAULTS | {"url": server.url} | settings)
        self.pauses: list[float] = []

    def ask(self, question: str = "How many?") -> int:
        return self._run(lambda endpoint: endpoint.ask([Message("user", question)], parse=integer))

    def ask_all(self, items: Sequence[Item[int]], keep: Callable[[str, int], None] | None = None) -> Outcome[int]:
        return self._run(lambda endpoint: endpoint.ask_all(items, keep=keep))

    def _run(self, work: Callable[[Endpoint], Awaitable[T]]) -> T:
        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        async def run() -> T:
            async with Endpoint(self.config, seed=7, sleep=pause) as endpoint:
                assert KEY not in repr(endpoint)
                return await work(endpoint)

        return asyncio.run(run())
