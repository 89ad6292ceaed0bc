"""Web search by Tavily (docs.tavily.com), made for language models."""

import asyncio
from collections.abc import Awaitable, Callable

from pydantic import BaseModel

from envs.corpus import Document
from envs.network.client import Network, Refused, read_json
from envs.search.results import first_of_each, needed_key, to_document
from envs.sources.base import unanswerable
from envs.sources.queries import one_line
from medrl.sections.network import NetworkConfig

KEY_VARIABLE = "TAVILY_API_KEY"
ADDRESS = "https://api.tavily.com"
_MOST = 20
"""Results of one request."""


class Tavily:
    """The provider `tavily`."""

    def __init__(
        self, url: str, config: NetworkConfig, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        """Raises ConfigError if there is no key in the environment."""
        self._url = url
        key = needed_key(KEY_VARIABLE, "tavily")
        self._headers = {"Authorization": f"Bearer {key}"}
        self._network = Network("Tavily", config, secret=key, mend=f"mend {KEY_VARIABLE} or the account", sleep=sleep)

    async def search(self, query: str, k: int) -> list[Document]:
        """At most 20, as Tavily ranks them."""
        asked = {"query": one_line(query), "max_results": min(k, _MOST)}
        read = read_json(_Found, "list of results")
        try:
            found = await self._network.post_as(read, f"{self._url}/search", json=asked, headers=self._headers)
        except Refused as error:
            raise unanswerable(error, "knowledge.web.url") from error
        results = [to_document(each.title, each.url, each.content, each.published_date or "") for each in found.results]
        return first_of_each(results, k)


class _Result(BaseModel):
    url: str
    title: str = ""
    content: str = ""
    published_date: str | None = None


class _Found(BaseModel):
    results: list[_Result]
