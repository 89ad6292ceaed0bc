"""General search, behind a protocol: a live provider and the local one look the same to the policy."""

from collections.abc import Mapping
from typing import Any, Protocol

from envs.corpus import Document
from envs.retrieval.index import Index
from envs.retrieval.lexical import LexicalIndex
from envs.snippets import CountTokens
from envs.text import content_words, estimate_tokens, words
from envs.tools.arguments import check_arguments, object_schema, text_schema
from envs.tools.base import ToolResult
from envs.tools.medical_retriever import render_hits


class SearchProvider(Protocol):
    """Where general results come from. A live provider raises ToolOutage when it cannot be reached."""

    async def search(self, query: str, k: int) -> list[Document]:
        """The `k` best results, best first; empty if nothing fits."""
        ...


class LocalProvider:
    """BM25 over general entries on disk: findings in everyday words, their definitions."""

    def __init__(self, index: Index) -> None:
        self._index = index

    async def search(self, query: str, k: int) -> list[Document]:
        """Best first: the part of the query that an entry covers; then BM25 of text and, less, of title."""
        asked = content_words(query)
        rows = self._index.candidates(asked, 10 * k)
        merit = self._index.coverage(asked, rows)
        for share, lexical in ((0.10, self._index.text), (0.05, self._index.title)):
            scores = lexical.scores(asked)[rows]
            merit += share * scores / max(scores.max(initial=0.0), 1e-9)
        ranked = sorted(zip(merit.tolist(), rows.tolist(), strict=True), key=lambda pair: (-pair[0], pair[1]))
        return [self._index.document(row) for _, row in ranked[:k]]


class WebSearch:
    """The tool `web_search`."""

    name = "web_search"
    description = "Search the general web: everyday words, definitions."
    parameters: Mapping[str, Any] = object_schema(query=text_schema("what to look for"))

    def __init__(
        self,
        provider: SearchProvider,
        lexical: LexicalIndex,
        top_k: int,
        tool_tokens: int,
        count_tokens: CountTokens = estimate_tokens,
    ) -> None:
        """`lexical` weighs words when snippets are cut; `tool_tokens` bounds the text as `count_tokens` measures it."""
        self._provider = provider
        self._lexical = lexical
        self._top_k = top_k
        self._limit = tool_tokens
        self._count = count_tokens

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """The top results, one a line. Raises ToolOutage as its provider does."""
        mistake = check_arguments(self, arguments)
        if mistake is not None:
            return mistake
        query: str = arguments["query"]
        if not words(query):
            return ToolResult.mistake(f"{self.name}: `query` has no words. Describe what you look for.")
        results = await self._provider.search(query, self._top_k)
        if not results:
            return ToolResult(f"No results for {query!r}.")
        strangers = () if isinstance(self._provider, LocalProvider) else [result.id for result in results]
        return render_hits(results, query, self._lexical, self._limit, self._count, strangers)
