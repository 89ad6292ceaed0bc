"""Pages of the open web as documents: fetched, then parsed in a process of its own."""

import asyncio

from envs.corpus import Document
from envs.network.addresses import Reach
from envs.network.fetching import REFERENCE, Fetcher
from envs.reading.reader import read
from medrl.sections.pages import PagesConfig

_AT_ONCE = 4
"""Parsers under way at once, as each may take `parse_bytes` of memory."""


class Pages:
    """May be used from several event loops, one after the other."""

    def __init__(self, config: PagesConfig, *, reach: Reach | None = None, reference: str = REFERENCE) -> None:
        """`reach`: what may be connected to, the open internet alone if None."""
        self._config = config
        self._fetcher = Fetcher(config, reach=reach, reference=reference)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def document(self, address: str) -> Document:
        """The page at a web address, which is its id. Raises Refusal, Unreadable, ToolOutage."""
        page = await self._fetcher.fetch(address)
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # one that was waited for belongs to its loop
            self._loop, self._turns = loop, asyncio.Semaphore(_AT_ONCE)
        async with self._turns:
            return await read(page, self._config)
