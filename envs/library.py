"""Every document that there is, by its id or title: the ontology's own, then those of other sources."""

from collections.abc import Sequence
from typing import NamedTuple

from envs.corpus import Document
from envs.retrieval.index import Index
from envs.sources.base import Source

_SUGGESTIONS = 3


class UnknownDocument(ValueError):
    """No document is called so, or several are. The message names them, or the nearest."""


class Found(NamedTuple):
    """A document; `is_own`: of the ontology, else somebody else's words."""

    document: Document
    is_own: bool


class Library:
    """`index` knows ids and titles of its documents, `sources` ids of theirs."""

    def __init__(self, index: Index, sources: Sequence[Source] = ()) -> None:
        self._index = index
        self._sources = tuple(sources)

    def __contains__(self, name: str) -> bool:
        """Whether the ontology has it."""
        return bool(self._index.find(name))

    async def find(self, name: str) -> Found:
        """The document called `name`; sources are asked in turn. Raises UnknownDocument, ToolOutage, ConfigError."""
        rows = self._index.find(name)
        if len(rows) > 1:
            titles = "; ".join(self._index.document(row).title for row in rows[:_SUGGESTIONS])
            raise UnknownDocument(f"{name!r} is the name of {len(rows)} documents: {titles}")
        if rows:
            return Found(self._index.document(rows[0]), True)
        for source in self._sources:
            document = await source.document(name)
            if document is not None:
                return Found(document, False)
        near = "; ".join(self._index.suggest(name, _SUGGESTIONS))
        raise UnknownDocument(f"no document {name!r}. Nearest: {near}")
