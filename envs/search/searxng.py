"""Web search by an instance of SearXNG, or whatever answers as one does: GET /search?q=…&format=json&pageno=1.

It gives JSON only if its settings.yml has `json` among `search.formats`; else it answers 403.
"""

import asyncio
from collections.abc import Awaitable, Callable

from pydantic import BaseModel, Field

from envs.corpus import Document
from envs.network.client import Answer, Network, Refused, read_json
from envs.search.results import first_of_each, to_document
from envs.sources.base import unanswerable
from envs.sources.queries import one_line
from medrl.sections.network import NetworkConfig

_MOST_PAGES = 5


class SearXNG:
    """The provider `searxng`. It needs no key."""

    def __init__(
        self, url: str, config: NetworkConfig, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._url = url
        mend = "mend knowledge.web.url, or put json among search.formats in the instance's settings.yml"
        self._network = Network("SearXNG", config, mend=mend, sleep=sleep)

    async def search(self, query: str, k: int) -> list[Document]:
        """As the instance ranks what its engines find, page by page."""
        asked = one_line(query)
        results: list[Document] = []
        for page in range(1, _MOST_PAGES + 1):
            params: dict[str, str | int] = {"q": asked, "format": "json", "pageno": page}
            try:
                found = await self._network.get_as(_read, f"{self._url}/search", params)
            except Refused as error:
                raise unanswerable(error, "knowledge.web.url") from error
            known = len(results)
            new = [to_document(each.title, each.url, each.content or "", each.date or "") for each in found.results]
            results = first_of_each([*results, *new], k)
            if len(results) in (known, k):
                break
        return results


class _Result(BaseModel):
    url: str
    title: str = ""
    content: str | None = None
    date: str | None = Field(None, alias="publishedDate")


class _Found(BaseModel):
    results: list[_Result]
    unresponsive_engines: list[list[str]] = []


def _read(answer: Answer) -> _Found:
    """Nothing found because no engine answered is an outage, not an empty result."""
    found = read_json(_Found, "list of results")(answer)
    if found.unresponsive_engines and not found.results:
        raise ValueError(f"no list of results (none of {len(found.unresponsive_engines)} engines answered it)")
    return found
