"""A client for services on the network: deadlines, sizes, retries, a rate, and errors by whose fault they are.

    an attempt                             what follows
    2xx, and `read` can read it            what it read
    no connection, a deadline, 429, 5xx,
    an answer that `read` refuses          another attempt, after a pause; ToolOutage after the last
    400, 404, 413, 422                     Refused: the caller knows what it means
    a redirect, 401, 403, others           ConfigError: every request would fare the same

Services are not trusted: no redirect is followed, of an answer at most `most_bytes` are read, and a deadline holds for
the whole of an attempt (`envs.network.attempts`). A key goes into headers or a form, never into an address: HTTP
libraries write addresses into their logs.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import httpx
from pydantic import BaseModel, ValidationError

from envs.network.attempts import Passing, asked_to_wait, attempt, quoted, read_body, read_reason
from envs.network.replies import Meaning, meaning
from envs.network.retries import backoffs
from medrl.errors import ConfigError, ToolOutage
from medrl.sections.network import NetworkConfig

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Answer:
    """A body, and what it says it is: `content_type` in small letters, without parameters."""

    body: bytes
    content_type: str


class Refused(Exception):
    """The service does not take this request, now or later; `status` says why, `said` in its words.

    Never escapes a tool."""

    def __init__(self, service: str, status: int, said: str) -> None:
        super().__init__(f"{service}: HTTP status {status}, {said}")
        self.status = status
        self.said = said


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
        mend: str = "mend its address or its key",
        seed: int = 0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`service`: its name, for messages. `per_second`: what it allows all `config.processes` together. `secret`: a
        key that no message may show. `mend`: what to do where it answers nobody. `seed`: of the pauses."""
        self._service = service
        self._config = config
        self._rate = Rate(per_second / config.processes, clock) if per_second else None
        self._secret = secret
        self._mend = mend
        self._rng = random.Random(seed)
        self._sleep = sleep
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def get(
        self, url: str, params: Mapping[str, str | int] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer as it came. Raises Refused, ToolOutage, ConfigError."""
        return await self.get_as(_as_it_came, url, params, headers)

    async def get_as(
        self,
        read: Callable[[Answer], T],
        url: str,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """What `read` makes of the answer; it raises ValueError, which says what the answer is not, for one that it
        cannot read ("no list of trials"). Raises Refused, ToolOutage, ConfigError."""
        return await self._ask(read, "GET", url, params=dict(params or {}), headers=dict(headers or {}))

    async def post_as(
        self,
        read: Callable[[Answer], T],
        url: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """As `get_as`; `json` or `form` is sent as the body."""
        body = {"data": dict(form)} if form is not None else {"json": json}
        return await self._ask(read, "POST", url, headers=dict(headers or {}), **body)

    async def _ask(self, read: Callable[[Answer], T], method: str, url: str, **parts: Any) -> T:
        reasons: list[str] = []
        for pause in backoffs(self._config.backoff_s, self._rng):
            if self._rate is not None and (wait_s := self._rate.turn()):
                await self._sleep(wait_s)
            try:
                answer = await attempt(self._config.timeout_s, self._once(method, url, parts), self._secret)
                return _read(read, answer)
            except Passing as error:
                reasons.append(str(error))
                pause = max(pause, error.wait_s)
            if len(reasons) == self._config.attempts:
                break
            await self._sleep(pause)
        attempts = f"{len(reasons)} attempt{'s' * (len(reasons) != 1)}"
        raise ToolOutage(f"{self._service}: {reasons[-1]} ({attempts})")

    async def _once(self, method: str, url: str, parts: Mapping[str, Any]) -> Answer:
        try:
            request = self._client.build_request(method, url, **parts)
        except (httpx.InvalidURL, ValueError) as error:
            raise ConfigError(f"{self._service}: its address is none: {quoted(str(error), self._secret)}") from None
        response = await self._client.send(request, stream=True)
        try:
            status = response.status_code
            match meaning(status):
                case Meaning.PASSING:
                    raise asked_to_wait(response)
                case Meaning.ANSWERED:
                    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                    return Answer(await read_body(response, self._config.most_bytes), content_type)
                case other:
                    said = await read_reason(response, self._secret)
                    if other is Meaning.REFUSED or status == 404:
                        raise Refused(self._service, status, said)
                    raise ConfigError(f"{self._service}: HTTP status {status}, {said}; {self._mend}")
        finally:
            await response.aclose()

    @property
    def _client(self) -> httpx.AsyncClient:
        """This event loop's. It keeps no connection open: one would outlive the loop that it was opened in, of which
        there may be one for every question."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = httpx.AsyncClient(
                headers={"Accept-Encoding": "gzip, identity", "User-Agent": "medrl"},
                timeout=None,  # `attempt` sees to it
                limits=httpx.Limits(max_keepalive_connections=0),
                follow_redirects=False,
            )
            self._clients[loop] = client
        return client


def read_json(model: type[Model], what: str) -> Callable[[Answer], Model]:
    """Reads an answer as `model`, for `Network.get_as`; `what` it should be is for messages ("list of trials")."""

    def read(answer: Answer) -> Model:
        try:
            return model.model_validate_json(answer.body)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"no {what} ({where + ': ' if where else ''}{first['msg']})") from None

    return read


def _read(read: Callable[[Answer], T], answer: Answer) -> T:
    try:
        return read(answer)
    except ValueError as error:
        raise Passing(f"answered something that is {error}") from None


def _as_it_came(answer: Answer) -> Answer:
    return answer
