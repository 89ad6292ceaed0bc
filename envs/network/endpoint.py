"""A client of OpenAI-compatible chat endpoints: what asks a language model asks it here.

    an attempt                                     what follows
    a reply that the caller's `parse` can read     the answer
    no connection, a deadline, 429, 5xx            another attempt, after a pause
    not a chat completion, no text, nonsense       another attempt, warmer
    400, 413, 422: this request is refused         SetAside at once; in `ask_all` ConfigError if none was taken before
    a redirect, 401, 403, 404, others              ConfigError: every request would fare the same
    the last one failed                            SetAside, with the reason of every attempt

The endpoint is not trusted: no redirect is followed, at most MOST_BYTES of an answer are read, and a deadline holds for
the whole of an attempt. The key comes from the environment and is in no message; of the address, only the host is.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx

from envs.network.attempts import Passing, asked_to_wait, attempt, key_in, quoted, read_body, read_reason
from envs.network.outcomes import Failure, Item, Outcome, SetAside, Tally
from envs.network.replies import Meaning, Reply, meaning, read_reply, remedy
from envs.network.retries import backoffs
from medrl.errors import ConfigError
from medrl.progress import Progress
from medrl.sections.endpoint import EndpointConfig
from medrl.types import Message

T = TypeVar("T")

MOST_BYTES = 4_000_000
"""Of one answer; a reply of a model has thousands."""
WARMER = 0.7
"""Least temperature after a reply that could not be read: asked just so, a model would say the same again."""


class Endpoint:
    """One model at one address. Open it with `async with`, and use it in the event loop it was opened in."""

    def __init__(
        self, config: EndpointConfig, *, seed: int = 0, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        """`seed`: of the pauses' jitter; give those that ask side by side different ones. Raises ConfigError if the key
        or the address can be none."""
        self._config = config
        self._rng = random.Random(seed)
        self._sleep = sleep
        self._key = key_in(config.key_from)
        try:
            self._url = httpx.URL(config.url.rstrip("/") + "/chat/completions")
        except httpx.InvalidURL as error:
            raise ConfigError(f"url of {config.model}: {error}") from error
        # No compression: a few bytes could unfold to gigabytes.
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=None,  # `within` sees to it
            limits=httpx.Limits(max_keepalive_connections=config.concurrency),
            follow_redirects=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def ask(self, messages: Sequence[Message], *, parse: Callable[[str], T | None]) -> T:
        """What `parse` reads in the reply; it gives None for one that it cannot read.

        Raises SetAside if no attempt brings an answer, ConfigError if no request ever would.
        """
        reasons: list[str] = []
        failure, temperature = Failure.NO_REPLY, self._config.temperature
        for pause in backoffs(self._config.backoff_s, self._rng):
            try:
                reply = await attempt(self._config.timeout_s, self._post(messages, temperature), self._key)
            except _Refused as error:
                raise SetAside(self._asked, Failure.REFUSED, (*reasons, str(error))) from None
            except Passing as error:
                reasons.append(str(error))
                pause = max(pause, error.wait_s)
            else:
                answer = parse(reply.text) if reply.text else None
                if answer is not None:
                    return answer
                said = f"no answer in the reply {quoted(reply.text, self._key)}" if reply.text else "an empty reply"
                cut_off = f", cut off at max_tokens={self._config.max_tokens}" if reply.cut_off else ""
                reasons.append(said + cut_off)
                failure = Failure.UNREADABLE if reply.text else failure
                temperature = max(temperature, WARMER)
            if len(reasons) == self._config.attempts:
                break
            await self._sleep(pause)
        raise SetAside(self._asked, failure, tuple(reasons))

    async def ask_all(
        self,
        items: Sequence[Item[T]],
        *,
        keep: Callable[[str, T], None] | None = None,
        progress: str | None = None,
    ) -> Outcome[T]:
        """Ask about all items, `concurrency` at once.

        `keep` is called with id and answer as soon as there is one: what it put away is not lost if the work ends
        early. `progress` names a bar on stderr. Raises ConfigError if no request ever would be answered,
        InfrastructureError when the endpoint is down (`Tally`), ValueError if two ids are the same.
        """
        tally = Tally(items)
        waiting = iter(items)
        with Progress(progress, len(items), "item") as bar:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self._config.concurrency, len(items))):
                        group.create_task(self._work(waiting, tally, keep, bar))
            except ExceptionGroup as failed:
                first = failed.exceptions[0]
                raise first from first.__cause__
        return tally.outcome()

    async def _work(
        self,
        waiting: Iterable[Item[T]],
        tally: Tally[T],
        keep: Callable[[str, T], None] | None,
        progress: Progress,
    ) -> None:
        """Ask about one item after the other, of those that no other worker has taken."""
        for item in waiting:
            try:
                answer = await self.ask(item.messages, parse=item.parse)
            except SetAside as error:
                tally.failed(item.id, error)
            else:
                if keep is not None:
                    keep(item.id, answer)
                tally.answered(item.id, answer)
            progress.advance(**{"set aside": tally.num_set_aside})

    async def _post(self, messages: Sequence[Message], temperature: float) -> Reply:
        """One attempt. Raises Passing, _Refused, ConfigError or httpx.TransportError."""
        body = {
            "model": self._config.model,
            "messages": [{"role": each.role, "content": each.content} for each in messages],
            "temperature": temperature,
            self._config.limit_name: self._config.max_tokens,
        }
        async with self._client.stream("POST", self._url, content=json.dumps(body)) as response:
            status = response.status_code
            match meaning(status):
                case Meaning.PASSING:
                    raise asked_to_wait(response)
                case Meaning.REFUSED:
                    raise _Refused(f"HTTP status {status}, {await read_reason(response, self._key)}")
                case Meaning.MISCONFIGURED:
                    what_to_do = remedy(status, self._config.key_from, key_is_set=self._key is not None)
                    raise ConfigError(f"{self._asked}: HTTP status {status}; {what_to_do}")
            answer = await read_body(response, MOST_BYTES)
        try:
            return read_reply(answer)
        except ValueError as error:
            raise Passing(str(error)) from None

    @property
    def _asked(self) -> str:
        return f"{self._config.model} at {self._config.host}"


class _Refused(Exception):
    """The endpoint does not take this request, now or later."""
