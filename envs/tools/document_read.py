"""Read one document for a stated goal: its sections that serve the goal, in their own order, within a token limit.

The condensation is extractive, so nothing is said that the document does not say.
"""

from collections.abc import Mapping
from math import fsum
from typing import Any

import numpy as np

from envs.corpus import Document
from envs.embedding import Encoder
from envs.facts import facts_in
from envs.index import Index
from envs.snippets import CountTokens, Wanted, fit, wanted
from envs.text import estimate_tokens
from envs.tools.arguments import check_arguments, object_schema, text_schema
from envs.tools.base import ToolResult
from envs.tools.medical_retriever import heading

#: Share of a section's merit that is the embedding's; the rest is lexical overlap with the goal.
_DENSE_SHARE = 0.5
#: Sections worth embedding; of a longer document, those with the most words of the goal.
_MOST_SECTIONS = 8
#: Tokens of a section that are embedded: its label and first items.
_SECTION_TOKENS = 24
_SUGGESTIONS = 3


class DocumentRead:
    """The tool `document_read`."""

    name = "document_read"
    description = "Read what one document says on a goal."
    parameters: Mapping[str, Any] = object_schema(
        document=text_schema("id or exact title"), goal=text_schema("what to find out")
    )

    def __init__(
        self, index: Index, encoder: Encoder, tool_tokens: int, count_tokens: CountTokens = estimate_tokens
    ) -> None:
        """`tool_tokens` bounds the text as `count_tokens` measures it."""
        self._index = index
        self._encoder = encoder
        self._limit = tool_tokens
        self._count = count_tokens

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """The sections that serve the goal; a mistake if the document is unknown or its name ambiguous."""
        mistake = check_arguments(self, arguments)
        if mistake is not None:
            return mistake
        asked: str = arguments["document"]
        rows = self._index.find(asked)
        if not rows:
            near = self._index.suggest(asked, _SUGGESTIONS)
            return ToolResult.mistake(f"{self.name}: no document {asked!r}. Nearest: {'; '.join(near)}.")
        if len(rows) > 1:
            titles = "; ".join(self._index.document(row).title for row in rows[:_SUGGESTIONS])
            return ToolResult.mistake(f"{self.name}: {asked!r} is the name of {len(rows)} documents: {titles}.")
        document = self._index.document(rows[0])
        text = self.condense(document, arguments["goal"])
        return ToolResult(text, (document.id,), facts=facts_in(document, text))

    def condense(self, document: Document, goal: str) -> str:
        """Heading and the sections that serve the goal, by merit, within the limit; the first is cut if it must be."""
        text = heading(document) + ":"
        want = wanted(goal, document.title)
        left = self._limit - self._count(text)
        chosen: dict[int, str] = {}
        for number in self._serving(document, goal, want):
            section = document.sections[number]
            if self._count(section) > left and chosen:
                continue
            chosen[number] = fit(section, want, left, self._count)
            left -= self._count(chosen[number])
        return " ".join([text, *(chosen[number] for number in sorted(chosen))])

    def _serving(self, document: Document, goal: str, want: Wanted) -> list[int]:
        """Section numbers, best first: share·cosine with the goal + (1 − share)·idf-weighted overlap with it.

        Where words of the goal occur, sections with less than half of the best one's overlap are left out.
        """
        idf = self._index.text.idf
        # Exact sums: those of a set would depend on its order, which differs from process to process.
        total = fsum(map(idf, want.names | want.labels)) or 1.0
        overlap = np.array([fsum(map(idf, want.in_section(section))) / total for section in document.sections])
        listed = np.argsort(-overlap, kind="stable")[:_MOST_SECTIONS]
        listed = listed[overlap[listed] >= overlap.max() / 2]
        if len(listed) == 1:
            return [int(listed[0])]
        vectors = self._encoder.encode([goal, *(document.sections[number] for number in listed)], _SECTION_TOKENS)
        merit = _DENSE_SHARE * (vectors[1:] @ vectors[0]) + (1.0 - _DENSE_SHARE) * overlap[listed]
        return [int(listed[place]) for place in np.argsort(-merit, kind="stable")]
