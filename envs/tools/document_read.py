"""Read one document for a stated goal: its sections that serve the goal, in their own order, within a token limit.

The document is one of the index, of a source, or a page of the web. Without a reader the condensation is extractive, so
nothing is said that the document does not say.
"""

import re
from collections.abc import Mapping
from math import fsum
from typing import Any

import numpy as np

from envs.condensing import Condenser
from envs.corpus import Document
from envs.facts import facts_in
from envs.library import Library, UnknownDocument
from envs.network.addresses import Refusal
from envs.network.fetching import Unreadable
from envs.reading.pages import Pages
from envs.retrieval.embedding import Encoder, Floats
from envs.retrieval.index import Index
from envs.snippets import CountTokens, Wanted, fit, wanted
from envs.text import estimate_tokens
from envs.tools.arguments import check_arguments, object_schema, text_schema
from envs.tools.base import UNTRUSTED, ToolResult
from envs.tools.medical_retriever import heading

CONDENSED = "[condensed by a model] "
"""Before what a reader wrote."""
#: Share of a section's merit that is the embedding's; the rest is lexical overlap with the goal.
_DENSE_SHARE = 0.5
#: Sections worth embedding; of a longer document, those with the most words of the goal.
_MOST_SECTIONS = 8
#: Tokens of a section that are embedded: its label and first items.
_SECTION_TOKENS = 24
#: Letters of a document that a reader is given; of a longer one, the sections with the most words of the goal.
_READER_LETTERS = 20_000
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class DocumentRead:
    """The tool `document_read`."""

    name = "document_read"
    description = "Read what one document says on a goal."
    parameters: Mapping[str, Any] = object_schema(
        document=text_schema("id, exact title or web address"), goal=text_schema("what to find out")
    )

    def __init__(
        self,
        index: Index,
        encoder: Encoder,
        tool_tokens: int,
        count_tokens: CountTokens = estimate_tokens,
        *,
        library: Library | None = None,
        pages: Pages | None = None,
        reader: Condenser | None = None,
    ) -> None:
        """`tool_tokens` bounds the text as `count_tokens` measures it. `library`: None for the documents of `index`
        alone. `pages`: None if no web address is read. `reader`: None for an extractive condensation."""
        self._index = index
        self._library = library or Library(index)
        self._encoder = encoder
        self._limit = tool_tokens
        self._count = count_tokens
        self._pages = pages
        self._reader = reader

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """What serves the goal; a mistake if the document is unknown, its name ambiguous or its address refused.

        A page that cannot be read now is told as such: no mistake. Raises ToolOutage, ConfigError.
        """
        mistake = check_arguments(self, arguments)
        if mistake is not None:
            return mistake
        asked, goal = arguments["document"].strip(), arguments["goal"]
        if _ADDRESS.match(asked) and asked not in self._library:
            return await self._read_page(asked, goal)
        try:
            document, is_own = await self._library.find(asked)
        except UnknownDocument as error:
            return ToolResult.mistake(f"{self.name}: {error}.")
        return await self._show(document, goal, "" if is_own else UNTRUSTED)

    async def _read_page(self, address: str, goal: str) -> ToolResult:
        if self._pages is None:
            return ToolResult.mistake(f"{self.name}: web pages are not read here. Give the id or title of a document.")
        try:
            document = await self._pages.document(address)
        except Refusal as error:
            return ToolResult.mistake(f"{self.name}: this address is not read: {error}.")
        except Unreadable as error:
            return ToolResult(f"{self.name}: the page could not be read: {error}.")
        return await self._show(document, goal, UNTRUSTED)

    async def _show(self, document: Document, goal: str, mark: str) -> ToolResult:
        if self._reader is None:
            text = self.condense(document, goal, mark)
        else:
            want = wanted(goal, document.title)
            said = await self._reader.condense(document.title, self._within(document, want), goal)
            start = f"{CONDENSED}{self._title(document, mark, want)}:"
            text = f"{start} {self._cut(said, want, self._limit - self._count(start))}"
        return ToolResult(text, (document.id,), facts=facts_in(document, text))

    def condense(self, document: Document, goal: str, mark: str = "") -> str:
        """Heading and the sections that serve the goal, by merit, within the limit; the first is cut if it must be."""
        want = wanted(goal, document.title)
        text = self._title(document, mark, want) + ":"
        left = self._limit - self._count(text)
        chosen: dict[int, str] = {}
        for number in self._serving(document, goal, want):
            section = document.sections[number]
            if self._count(section) > left and chosen:
                continue
            chosen[number] = self._cut(section, want, left)
            left -= self._count(chosen[number])
        return " ".join([text, *(chosen[number] for number in sorted(chosen))])

    def _title(self, document: Document, mark: str, want: Wanted) -> str:
        """Mark and heading. A stranger's title takes a third of the room at most, and no address: it may be long."""
        return mark + (self._cut(document.title, want, self._limit // 3) if mark else heading(document))

    def _cut(self, text: str, want: Wanted, limit: int) -> str:
        """`text` within `limit` tokens; where not one word fits, as in scripts without blanks, some of its letters."""
        shown = fit(text, want, limit, self._count)
        if shown or limit < 1:
            return shown
        letters = len(text)
        while letters and self._count(text[:letters] + "…") > limit:
            letters //= 2
        return text[:letters] + "…"

    def _within(self, document: Document, want: Wanted) -> list[str]:
        """The sections that a reader is given, in their own order."""
        overlap = self._overlap(document, want)
        kept, letters = set[int](), 0
        for number in np.argsort(-overlap, kind="stable").tolist():
            letters += len(document.sections[number])
            if letters > _READER_LETTERS and kept:
                break
            kept.add(number)
        return [document.sections[number][:_READER_LETTERS] for number in sorted(kept)]

    def _overlap(self, document: Document, want: Wanted) -> Floats:
        """The idf-weighted part of what is wanted that each section holds [sections]."""
        idf = self._index.text.idf
        # Exact sums: those of a set would depend on its order, which differs from process to process.
        total = fsum(map(idf, want.names | want.labels)) or 1.0
        return np.array([fsum(map(idf, want.in_section(section))) / total for section in document.sections])

    def _serving(self, document: Document, goal: str, want: Wanted) -> list[int]:
        """Section numbers, best first: share·cosine with the goal + (1 − share)·idf-weighted overlap with it.

        Where words of the goal occur, sections with less than half of the best one's overlap are left out.
        """
        overlap = self._overlap(document, want)
        listed = np.argsort(-overlap, kind="stable")[:_MOST_SECTIONS]
        listed = listed[overlap[listed] >= overlap.max(initial=0.0) / 2]
        if len(listed) <= 1:
            return [int(number) for number in listed]
        vectors = self._encoder.encode([goal, *(document.sections[number] for number in listed)], _SECTION_TOKENS)
        merit = _DENSE_SHARE * (vectors[1:] @ vectors[0]) + (1.0 - _DENSE_SHARE) * overlap[listed]
        return [int(listed[place]) for place in np.argsort(-merit, kind="stable")]
