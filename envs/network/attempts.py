"""One attempt at a request over HTTP: what of the answer is read, when another may follow, and what is said of it.

Who answers is not trusted: a deadline holds for the whole of an attempt, of a body no more is held than was asked for,
as it was sent or unfolded from gzip, and a key is in no message.
"""

import os
import re
import zlib
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TypeVar, cast

import httpx

from envs.network.bodies import BadBody, gather
from envs.network.retries import retry_after
from medrl.deadlines import within
from medrl.errors import ConfigError

T = TypeVar("T")

_QUOTED = 200
_LONGEST_REASON = 4_000
"""Bytes of a body that says why a request was not answered."""


class Passing(Exception):
    """An attempt failed in a way that may pass, not before `wait_s`."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


async def attempt(seconds: float, request: Awaitable[T], key: str | None) -> T:
    """What `request` comes to. Raises Passing where that takes longer than `seconds` or the connection fails."""
    try:
        return await within(seconds, request)
    except TimeoutError:
        raise Passing(f"no whole answer within {seconds:g} s") from None
    except httpx.TransportError as error:
        raise Passing(f"{type(error).__name__}: {quoted(str(error), key)}") from None


def asked_to_wait(response: httpx.Response) -> Passing:
    """What follows from a status that says to ask again later."""
    wait_s = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
    return Passing(f"HTTP status {response.status_code}", wait_s)


async def read_body(response: httpx.Response, most: int) -> bytes:
    """The body of a streamed response. Raises Passing for one of more than `most` bytes, or that cannot be unfolded:
    what a service says now it may not say later."""
    async with aclosing(cast(AsyncGenerator[bytes, None], response.aiter_raw())) as chunks:
        try:
            return await gather(chunks, response.headers.get("Content-Encoding", ""), most)
        except BadBody as error:
            raise Passing(str(error)) from None


async def read_reason(response: httpx.Response, key: str | None) -> str:
    """How the body of a streamed response begins, for a message; nothing where it cannot be unfolded."""
    start = bytearray()
    async with aclosing(cast(AsyncGenerator[bytes, None], response.aiter_raw())) as chunks:
        async for chunk in chunks:
            start += chunk
            if len(start) >= _LONGEST_REASON:
                break
    words = bytes(start[:_LONGEST_REASON])
    if response.headers.get("Content-Encoding", "").strip().lower() == "gzip":
        try:
            words = zlib.decompressobj(wbits=31).decompress(words, _LONGEST_REASON)
        except zlib.error:
            words = b""
    return quoted(words.decode(errors="replace"), key)


def quoted(words: str, key: str | None) -> str:
    """Words of a service, for a message: short, on one line, and without the key should they hold it."""
    safe = words.replace(key, "[key]") if key else words
    return repr(" ".join(safe[:_QUOTED].split()))


def key_in(variable: str | None) -> str | None:
    """The key in the environment, None if there is none. Raises ConfigError, without showing it, if it can be none: an
    HTTP library's own error would show it."""
    key = (os.environ.get(variable) or None) if variable else None
    if key is not None and not re.fullmatch(r"[!-~]+", key):
        raise ConfigError(f"{variable} in the environment holds a blank or line break: set it to the key alone")
    return key
