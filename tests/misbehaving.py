"""A server on the loopback address that behaves as badly as a test wants, one behaviour a request.

with MisbehavingServer([status(503), says("yes")]) as server:
    ...                                     # server.url, server.requests
"""

import asyncio
import gzip
import json
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as it came in. Header names are in small letters; `body` is what its JSON or its form says."""

    target: str
    headers: Mapping[str, str]
    body: Any

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def question(self) -> str:
        """The last message."""
        return str(self.body["messages"][-1]["content"])


Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


class MisbehavingServer:
    """Behaves as the script says: a list in order, the last one for ever, or a function of the request."""

    def __init__(self, script: Sequence[Behaviour] | Callable[[Asked], Behaviour]) -> None:
        self._script = script
        self.requests: list[Asked] = []
        self.most_at_once = 0
        self._at_once = 0
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.loop.call_soon_threadsafe(self.end)
        self._thread.join()

    def end(self) -> None:
        """Begins to end, in its own thread."""
        self._ended.set()

    async def _serve(self) -> None:
        self.loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._ended.wait()
        # asyncio would leave a connection open that it is taking while the server closes: it takes no more, and is
        # given the time for those that it has begun with, as many turns of the loop as that may be.
        for listening in server.sockets:
            self.loop.remove_reader(listening.fileno())
        while taking := asyncio.all_tasks() - {asyncio.current_task()} - self._connections.keys():
            await asyncio.wait(taking)
        server.close()
        for connection, writer in self._connections.items():
            connection.cancel()
            if writer.transport.get_write_buffer_size() or not writer.is_closing():
                writer.transport.abort()  # what its client did not take would keep it open
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[asyncio.create_task(self._accept(reader, writer))] = writer

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            asked = await _read(reader)
            self.requests.append(asked)
            await self._next(asked)(writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            self._at_once -= 1
            writer.close()

    def _next(self, asked: Asked) -> Behaviour:
        if callable(self._script):
            return self._script(asked)
        return self._script[min(len(self.requests), len(self._script)) - 1]


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    if headers.get("content-type") == "application/x-www-form-urlencoded":
        return Asked(head[0].split(" ")[1], headers, dict(parse_qsl(body.decode(), keep_blank_values=True)))
    return Asked(head[0].split(" ")[1], headers, json.loads(body) if body else None)


def raw(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Behaviour:
    """Any answer whole; the connection is closed after it."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(_head(status, {"Content-Length": str(len(body))} | dict(headers or {})) + body)

    return behave


def answers(value: object) -> Behaviour:
    """JSON."""
    return raw(json.dumps(value).encode(), headers={"Content-Type": "application/json; charset=utf-8"})


def says(text: str | None, finish_reason: str = "stop") -> Behaviour:
    """A proper completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    return raw(json.dumps({"id": "c", "object": "chat.completion", "choices": [choice]}).encode())


def status(code: int, body: str = "", **headers: str) -> Behaviour:
    """An error; `Retry_After="3"` is the header Retry-After."""
    return raw(body.encode(), code, {name.replace("_", "-"): value for name, value in headers.items()})


def sends(data: bytes, *, then_hangs: bool = False) -> Behaviour:
    """These bytes and no others, whether they are HTTP or not."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if then_hangs:
            await asyncio.Event().wait()

    return behave


def repeats(start: bytes, again: bytes) -> Behaviour:
    """`start`, then `again` for ever."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(again)
            await writer.drain()

    return behave


async def hangs(writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.Event().wait()


async def hangs_up(writer: asyncio.StreamWriter) -> None:
    """Closes the connection without a word."""


async def breaks_off(writer: asyncio.StreamWriter) -> None:
    """Closes the connection halfway through the body."""
    writer.write(_head(200, {"Content-Length": "1000"}) + b'{"choices": [{"mess')


async def is_not_http(writer: asyncio.StreamWriter) -> None:
    """Speaks another protocol."""
    writer.write(b"220 mail.example ESMTP\r\n")


async def trickles(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, so that no single read takes long."""
    writer.write(_head(200, {"Content-Length": "1000000"}))
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


class Floods:
    """A body of 100 MB. `sent`: what the client let through, bytes."""

    def __init__(self) -> None:
        self.sent = 0

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        size, chunk = 100_000_000, b" " * 100_000
        writer.write(_head(200, {"Content-Length": str(size)}))
        while self.sent < size:
            writer.write(chunk)
            await writer.drain()
            self.sent += len(chunk)


def folded(body: bytes, sent: int | None = None) -> Behaviour:
    """gzip, of which only the first `sent` bytes come."""
    return raw(gzip.compress(body)[:sent], headers={"Content-Encoding": "gzip"})


def after(before: Callable[[], Awaitable[object]], behaviour: Behaviour) -> Behaviour:
    """`behaviour`, once `before` is done."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        await before()
        await behaviour(writer)

    return behave


def _head(code: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {code} -", *(f"{name}: {value}" for name, value in headers.items()), "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode()
