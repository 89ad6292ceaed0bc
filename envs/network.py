"""A client for services on the network: deadlines, sizes, retries, a rate, and errors by whose fault they are.

    an attempt                            what follows
    2xx within the limits                 its Answer
    no connection, a deadline, 429, 5xx   another attempt, after a pause; ToolOutage after the last
    400, 404, 413, 422                    Refused: the caller knows what it means
    a redirect, 401, 403, others          ConfigError: every request would fare the same

Services are not trusted: no redirect is followed, of an answer at most `most_bytes` are read, as they were sent or
unfolded from gzip, and a deadline holds for the whole of an attempt. No message shows a key, or more of an address than
its host.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from weakref import WeakKeyDictionary

import httpx

from envs.bodies import BadBody, gather
from envs.replies import Meaning, meaning
from envs.retries import backoffs, retry_after
from medrl.deadlines import within
from medrl.errors import ConfigError, ToolOutage
from medrl.sections.network import NetworkConfig

_QUOTED = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """A body, and what it says it is: `content_type` in small letters, without parameters."""

    body: bytes
    content_type: str


class Refused(Exception):
    """The service does not take this request, now or later; `status` says why. Never escapes a tool."""

    def __init__(self, service: str, status: int, said: str) -> None:
        super().__init__(f"{service}: HTTP status {status}, {said}")
        self.status = status


class Rate:
    """At most `per_second` requests, evenly spaced; the caller waits for its turn."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._spacing_s = 1.0 / per_second
        self._clock = clock
        self._free_at = 0.0

    def turn(self) -> float:
        """Takes the next turn, and says in how many seconds it is."""
        now = self._clock()
        at = max(now, self._free_at)
        self._free_at = at + self._spacing_s
        return at - now


class Network:
    """One service. May be used from several event loops, one after the other."""

    def __init__(
        self,
        service: str,
        config: NetworkConfig,
        *,
        per_second: float | None = None,
        secret: str | None = None,
        seed: int = 0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`service`: its name, for messages. `secret`: a key that no message may show. `seed`: of the pauses."""
        self._service = service
        self._config = config
        self._rate = Rate(per_second) if per_second else None
        self._secret = secret
        self._rng = random.Random(seed)
        self._sleep = sleep
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def get(
        self, url: str, params: Mapping[str, str | int] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Raises Refused, ToolOutage, ConfigError."""
        return await self._ask("GET", url, params=dict(params or {}), headers=dict(headers or {}))

    async def post(self, url: str, json: Any, headers: Mapping[str, str] | None = None) -> Answer:
        """`json` is sent as the body. Raises Refused, ToolOutage, ConfigError."""
        return await self._ask("POST", url, json=json, headers=dict(headers or {}))

    async def _ask(self, method: str, url: str, **parts: Any) -> Answer:
        reasons: list[str] = []
        for pause in backoffs(self._config.backoff_s, self._rng):
            if self._rate is not None and (wait_s := self._rate.turn()):
                await self._sleep(wait_s)
            try:
                return await within(self._config.timeout_s, self._once(method, url, parts))
            except _Passing as error:
                reasons.append(str(error))
                pause = max(pause, error.wait_s)
            except TimeoutError:
                reasons.append(f"no whole answer within {self._config.timeout_s:g} s")
            except httpx.TransportError as error:
                reasons.append(f"{type(error).__name__}: {self._quote(str(error))}")
            if len(reasons) == self._config.attempts:
                break
            await self._sleep(pause)
        attempts = f"{len(reasons)} attempt{'s' * (len(reasons) != 1)}"
        raise ToolOutage(f"{self._service}: {reasons[-1]} ({attempts})")

    async def _once(self, method: str, url: str, parts: Mapping[str, Any]) -> Answer:
        try:
            request = self._client.build_request(method, url, **parts)
        except (httpx.InvalidURL, ValueError) as error:
            raise ConfigError(f"{self._service}: its address is none: {self._quote(str(error))}") from None
        response = await self._client.send(request, stream=True)
        try:
            status = response.status_code
            match meaning(status):
                case Meaning.PASSING:
                    wait_s = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
                    raise _Passing(f"HTTP status {status}", wait_s)
                case Meaning.ANSWERED:
                    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                    return Answer(await read_body(response, self._config.most_bytes), content_type)
                case other:
                    said = self._quote((await _start(response)).decode(errors="replace"))
                    if other is Meaning.REFUSED or status == 404:
                        raise Refused(self._service, status, said)
                    raise ConfigError(f"{self._service}: HTTP status {status}, {said}; mend its address or its key")
        finally:
            await response.aclose()

    @property
    def _client(self) -> httpx.AsyncClient:
        """This event loop's: connections do not outlive the loop they were opened in."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            headers = {"Accept-Encoding": "gzip, identity", "User-Agent": "medrl"}
            client = httpx.AsyncClient(headers=headers, timeout=None, follow_redirects=False)  # `within` sees to time
            self._clients[loop] = client
        return client

    def _quote(self, words: str) -> str:
        safe = words.replace(self._secret, "[key]") if self._secret else words
        return repr(" ".join(safe[:_QUOTED].split()))


class _Passing(Exception):
    """An attempt failed in a way that may pass, not before `wait_s`."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


async def read_body(response: httpx.Response, most: int) -> bytes:
    """The body of a streamed response, unfolded if it is gzip: never more than `most` bytes are held.

    Raises _Passing for a longer one, or one that cannot be unfolded: what a service says now it may not say later.
    """
    async with aclosing(cast(AsyncGenerator[bytes, None], response.aiter_raw())) as chunks:
        try:
            return await gather(chunks, response.headers.get("Content-Encoding", ""), most)
        except BadBody as error:
            raise _Passing(str(error)) from None


async def _start(response: httpx.Response) -> bytes:
    """The first bytes of a body, for a message."""
    async with aclosing(cast(AsyncGenerator[bytes, None], response.aiter_raw())) as chunks:
        async for chunk in chunks:
            return chunk[:_QUOTED]
    return b""
