"""General search, local and behind the protocol."""

import asyncio

import pytest

from envs.corpus import Document
from envs.retrieval.index import Index
from envs.tools.web_search import LocalProvider, WebSearch
from medrl.errors import ToolOutage


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("pigeon chest", "web:HP:0000768"),
        ("spider fingers", "web:HP:0001166"),
        ("dislocation of the eye's lens", "web:HP:0001083"),
        ("Arachnodactyly", "web:HP:0001166"),
    ],
)
def test_everyday_words_find_the_term(web: Index, query: str, found: str) -> None:
    result = asyncio.run(WebSearch(LocalProvider(web), web.text, 1, 150).call({"query": query}))
    assert result.sources == (found,) and result.text.startswith(
        f"[1] {web.document(web.find(found)[0]).title} ({found})"
    )


def test_nothing_found_is_said_and_is_no_mistake(web: Index) -> None:
    result = asyncio.run(WebSearch(LocalProvider(web), web.text, 3, 150).call({"query": "xylophone"}))
    assert result.text == "No results for 'xylophone'." and result.sources == () and not result.is_mistake


def test_a_providers_outage_is_not_swallowed(web: Index) -> None:
    class Down:
        async def search(self, query: str, k: int) -> list[Document]:
            raise ToolOutage("search at https://example.org: timed out")

    with pytest.raises(ToolOutage, match="timed out"):
        asyncio.run(WebSearch(Down(), web.text, 3, 150).call({"query": "pigeon chest"}))
