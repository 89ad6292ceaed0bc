"""Web search by Serper (serper.dev), which gives Google's results."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, Field

from envs.corpus import Document
from envs.network.client import Network, Refused, read_json
from envs.search.results import first_of_each, needed_key, to_document
from envs.sources.base import unanswerable
from envs.sources.queries import one_line
from medrl.sections.network import NetworkConfig

KEY_VARIABLE = "SERPER_API_KEY"
ADDRESS = "https://google.serper.dev"
_MOST = 100
"""Results of one request."""


class Serper:
    """The provider `serper`."""

    def __init__(
        self, url: str, config: NetworkConfig, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        """Raises ConfigError if there is no key in the environment."""
        self._url = url
        key = needed_key(KEY_VARIABLE, "serper")
        self._headers = {"X-API-KEY": key}
        self._network = Network("Serper", config, secret=key, mend=f"mend {KEY_VARIABLE} or the account", sleep=sleep)

    async def search(self, query: str, k: int) -> list[Document]:
        """As Google ranks them."""
        asked = {"q": one_line(query), "num": min(k, _MOST)}
        read = read_json(_Found, "list of results")
        try:
            found = await self._network.post_as(read, f"{self._url}/search", json=asked, headers=self._headers)
        except Refused as error:
            raise unanswerable(error, "knowledge.web.url") from error
        return first_of_each([to_document(each.title, each.link, each.snippet, each.date) for each in found.organic], k)


class _Result(BaseModel):
    link: str
    title: str = ""
    snippet: str = ""
    date: str = ""


class _Found(BaseModel):
    # It is in every answer; `organic` is not where nothing was found.
    parameters: dict[str, Any] = Field(alias="searchParameters")
    organic: list[_Result] = []
