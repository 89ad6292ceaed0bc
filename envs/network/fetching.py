"""One page of the open web, fetched without trusting anybody.

    what happens                                            whose doing           what comes of it
    no address, one that may not be asked, no such host     the model's           Refusal: a mistake, told to it
    401, 403, 404, 410 ..., no document, too long           the model's           Refusal
    no connection, a deadline, 429, 5xx, broken answers,    the page's            Unreadable: told to the model, which
    redirects without end or to what may not be asked                             did nothing wrong
    all of this, and a host that is always up is            ours                  ToolOutage: the episode is played anew
    not reached either

A page that is down is a fact of the world the model acts in, as a page that says nothing is; that nothing at all can be
reached is not. The two are told apart by one connection to `reference`, tried only after no page answered.
"""

import asyncio
import random
import re
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import httpcore
import httpx

from envs.network.addresses import CheckedBackend, Forbidden, NoSuchHost, Reach, Refusal, parse_address
from envs.network.bodies import BadBody, TooLong, gather
from envs.network.replies import Meaning, meaning
from envs.network.retries import backoffs
from medrl.deadlines import within
from medrl.errors import ToolOutage
from medrl.sections.pages import PagesConfig

REFERENCE = "www.nlm.nih.gov"
"""The National Library of Medicine: up whenever the network is."""
_PROBE_S = 5.0
_DOCUMENT = re.compile(r"text/[\w.+-]+|application/(?:pdf|octet-stream|xhtml\+xml|(?:[\w.+-]+\+)?(?:xml|json)|)|")
_FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError)


class Unreadable(Exception):
    """The page cannot be read, by no fault of the model's; the message is told to it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page. `content_type`: in small letters, without parameters; `charset`: as it says, "" if it does not; `url`:
    where it was found, after redirects."""

    body: bytes
    content_type: str
    charset: str
    url: str


class Fetcher:
    """Fetches pages, each over a connection of its own; may be used from any event loop."""

    def __init__(
        self,
        config: PagesConfig,
        *,
        reach: Reach | None = None,
        reference: str = REFERENCE,
        seed: int = 0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`reach`: what may be connected to, the open internet alone if None. `seed`: of the pauses."""
        self._config = config
        self._reach = reach or Reach()
        self._reference = reference
        self._rng = random.Random(seed)
        self._sleep = sleep

    async def fetch(self, address: str) -> Fetched:
        """Within `timeout_s`, all attempts together, and a few seconds more where nothing answers.

        Raises Refusal, Unreadable, ToolOutage.
        """
        url = parse_address(address)
        try:
            return await within(self._config.timeout_s, self._tries(url))
        except NoSuchHost:
            await self._probe()
            raise Refusal("there is no such host") from None
        except TimeoutError:
            await self._probe()
            raise Unreadable(f"no whole answer within {self._config.timeout_s:g} s") from None
        except _Passing as error:
            if not error.heard:
                await self._probe()
            raise Unreadable(str(error)) from None

    async def _tries(self, url: httpx.URL) -> Fetched:
        num_failed = 0
        for pause in backoffs(self._config.backoff_s, self._rng):
            try:
                return await self._follow(url)
            except _Passing:
                num_failed += 1
                if num_failed == self._config.attempts:
                    raise
            await self._sleep(pause)
        raise AssertionError("backoffs have no end")

    async def _follow(self, url: httpx.URL) -> Fetched:
        """One attempt, redirects followed, each address checked as the first was."""
        found = await self._once(url)
        for _ in range(self._config.most_redirects):
            if isinstance(found, Fetched):
                return found
            try:
                url = parse_address(str(url.join(found)))
                found = await self._once(url)
            except (Forbidden, NoSuchHost, httpx.InvalidURL, ValueError):
                raise Unreadable("it sends readers to an address that is not read") from None
        if isinstance(found, Fetched):
            return found
        raise Unreadable(f"it sends readers on more than {self._config.most_redirects} times")

    async def _once(self, url: httpx.URL) -> Fetched | str:
        """The page, or where it sends readers. Raises Refusal, NoSuchHost, Unreadable, _Passing."""
        headers = [
            (b"Host", url.netloc),
            (b"User-Agent", b"medrl"),
            (b"Accept", b"text/html, application/pdf, application/xml, text/plain"),
            (b"Accept-Encoding", b"gzip, identity"),
        ]
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        heard = False
        try:
            async with (
                httpcore.AsyncConnectionPool(
                    self._tls, max_keepalive_connections=0, network_backend=CheckedBackend(self._reach)
                ) as pool,
                pool.stream("GET", target, headers=headers) as response,
            ):
                heard = True
                return await self._take(url, response)
        except _FAILURES as error:
            raise _Passing("the connection fails" if not heard else "its answer breaks off", heard) from error

    async def _take(self, url: httpx.URL, response: httpcore.Response) -> Fetched | str:
        said = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        status = response.status
        if status in (301, 302, 303, 307, 308) and "location" in said:
            return said["location"]
        if meaning(status) is Meaning.PASSING:
            raise _Passing(f"HTTP status {status}", True)
        if status < 200 or 300 <= status < 400:
            raise Unreadable(f"HTTP status {status}")
        if status >= 400:
            raise Refusal(f"HTTP status {status}{', there is no such page' * (status in (404, 410))}")
        media, _, parameters = said.get("content-type", "").partition(";")
        content_type = media.strip().lower()
        if not _DOCUMENT.fullmatch(content_type):
            named = content_type if re.fullmatch(r"[\w.+-]{1,30}/[\w.+-]{1,40}", content_type) else "unknown"
            raise Refusal(f"its type is {named}, and only web pages, PDF, XML and plain text are read")
        charset = re.search(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", parameters, re.IGNORECASE)
        try:
            async with aclosing(cast(AsyncGenerator[bytes, None], response.aiter_stream())) as chunks:
                body = await gather(chunks, said.get("content-encoding", ""), self._config.most_bytes)
        except TooLong:
            raise Refusal(f"it has more than {self._config.most_bytes:,} bytes") from None
        except BadBody:
            raise _Passing("its answer breaks off or cannot be unfolded", True) from None
        return Fetched(body, content_type, charset[1].lower() if charset else "", str(url))

    async def _probe(self) -> None:
        """Raises ToolOutage if the reference is not reached either."""
        try:
            stream = await within(_PROBE_S, self._reach.open(self._reference, 443))
        except (TimeoutError, NoSuchHost, Forbidden, *_FAILURES) as error:
            raise ToolOutage(
                f"document_read: the web cannot be reached, {self._reference} neither ({type(error).__name__})"
            ) from None
        await stream.aclose()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context(trust_env=False)


class _Passing(Exception):
    """An attempt failed in a way that may pass. `heard`: the server answered."""

    def __init__(self, reason: str, heard: bool) -> None:
        super().__init__(reason)
        self.heard = heard
