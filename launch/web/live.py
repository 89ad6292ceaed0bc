"""Work whose events are sent while it goes on, and which ends when nobody listens any more."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, Generic, Self, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from launch.ask.events import Event, OnEvent
from medrl.errors import DataError

T = TypeVar("T")
MOST_BYTES = 200_000
"""Of a request's body."""
RETRY_AFTER_S = 10
"""What a client is told that comes while as many are served as may be."""


async def read_json(request: Request) -> Any:
    """The body. Raises DataError if it is larger than MOST_BYTES, no JSON, or no text: JSON can spell half a letter."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise DataError(f"the request is too long: send at most {MOST_BYTES:,} bytes")
    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DataError("the request holds half a letter, an unpaired surrogate: send whole ones") from error
    except (ValueError, RecursionError) as error:
        raise DataError("the request is not JSON") from error
    return value


class Live(Generic[T]):
    """Work that has begun: iterate over its events, then ask for its result; or close it."""

    def __init__(self, run: Callable[[OnEvent], Coroutine[Any, Any, T]]) -> None:
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._task = asyncio.create_task(run(self._events.put_nowait))
        self._task.add_done_callback(lambda _: self._events.put_nowait(None))

    @classmethod
    async def begin(cls, run: Callable[[OnEvent], Coroutine[Any, Any, T]]) -> Self:
        """Let it run to where it first waits; raises what it raised until then."""
        live = cls(run)
        await asyncio.sleep(0)
        if live._task.done():
            live._task.result()
        return live

    async def events(self) -> AsyncIterator[Event]:
        """As they come, to the end of the work, well or not."""
        while (event := await self._events.get()) is not None:
            yield event

    async def result(self) -> T:
        """Raises what the work raised."""
        return await self._task

    def close(self) -> None:
        """End it if it has not ended."""
        self._task.cancel()


def sent(value: Mapping[str, Any]) -> str:
    """One server-sent event."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


class LiveResponse(StreamingResponse):
    """Server-sent events made of live work, which ends with them: also where the client leaves before the first."""

    def __init__(self, live: Live[Any], lines: AsyncIterator[str]) -> None:
        super().__init__(lines, media_type="text/event-stream")
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._live.close()


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """What `work` comes to. Cancels it, and raises ClientDisconnect, once the client has gone. For a request that has
    been read to its end."""
    task = asyncio.ensure_future(work)
    gone = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
