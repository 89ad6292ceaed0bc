"""Evidence from the medical corpus, ranked by Score(d, q) = λ·Rel(d, q) + (1 − λ)·Auth(d) (arXiv:2508.14880)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.authority import authority
from envs.corpus import Document
from envs.embedding import Encoder, Floats
from envs.facts import facts_of
from envs.index import Index
from envs.lexical import LexicalIndex
from envs.snippets import CountTokens, snippet, wanted
from envs.text import content_words, estimate_tokens, name_words, words
from envs.tools.arguments import check_arguments, object_schema, text_schema
from envs.tools.base import ToolResult
from medrl.sections.knowledge import KnowledgeConfig


@dataclass(frozen=True, slots=True)
class Hit:
    """A document and how its score came about.

    `score` = λ·relevance + (1 − λ)·authority; `relevance` = share·cosine + (1 − share)·coverage, where `cosine` is
    that of the embeddings and `coverage` the idf-weighted part of the query's words that the document holds, in [0, 1].
    """

    document: Document
    score: float
    relevance: float
    authority: float
    cosine: float
    coverage: float


class MedicalRetriever:
    """The tool `medical_retriever`, and `search` behind it."""

    name = "medical_retriever"
    description = "Search medical evidence on diseases, genes and findings."
    parameters: Mapping[str, Any] = object_schema(query=text_schema("what to look for"))

    def __init__(
        self, index: Index, encoder: Encoder, config: KnowledgeConfig, count_tokens: CountTokens = estimate_tokens
    ) -> None:
        self._index = index
        self._encoder = encoder
        self._config = config
        self._count = count_tokens
        self._prepared: dict[str, Floats] = {}

    def prepare(self, queries: Sequence[str], vectors: Floats | None = None) -> None:
        """Encode queries that will be searched for together, which takes a twentieth of the time that they take one by
        one. `vectors` [queries, dimensions]: their embeddings, if they are known.
        """
        encoded = self._encoder.encode(queries) if vectors is None else vectors
        self._prepared.update(zip(queries, encoded, strict=True))

    def search(self, query: str, k: int, lam: float = 0.4) -> list[Hit]:
        """The `k` best of the candidates, best first; ties go to the document that comes first in the corpus.

        The paper's Rel is the cosine alone: `knowledge.dense_share` = 1. One vector for a document does not tell
        which of its many findings are there, so half of Rel is lexical by default. Where a word of the query occurs
        nowhere (a misspelt name), its nearest neighbours by embedding join the candidates.
        """
        if not 0.0 <= lam <= 1.0:
            raise ValueError(f"lam={lam}: must be within [0, 1]")
        vector = self._prepared.get(query)
        if vector is None:
            vector = self._encoder.encode([query])[0]
        names = name_words(query)
        rows = self._index.candidates(content_words(query), max(k, self._config.candidates))
        if not all(name in self._index.text for name in names):
            rows = np.union1d(rows, self._index.nearest(vector, max(k, self._config.candidates)))
        cosine, coverage = self._index.cosines(vector, rows), self._index.coverage(names, rows)
        share = self._config.dense_share
        hits = []
        for row, cos, covered in zip(rows.tolist(), cosine.tolist(), coverage.tolist(), strict=True):
            document = self._index.document(row)
            relevance, weight = share * cos + (1.0 - share) * covered, authority(document)
            score = lam * relevance + (1.0 - lam) * weight
            hits.append(Hit(document, score, relevance, weight, cos, covered))
        return sorted(hits, key=lambda hit: -hit.score)[:k]

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """The top documents, one a line, with the sections that serve the query."""
        mistake = check_arguments(self, arguments)
        if mistake is not None:
            return mistake
        query: str = arguments["query"]
        if not words(query):
            return ToolResult.mistake(f"{self.name}: `query` has no words. Name a disease, a gene or a finding.")
        documents = [hit.document for hit in self.search(query, self._config.top_k, self._config.lam)]
        return render_hits(documents, query, self._index.text, self._config.tool_tokens, self._count)


def heading(document: Document) -> str:
    """The title, with the id behind it where the title does not say what the document is about."""
    return document.title if document.title.endswith(")") else f"{document.title} ({document.id})"


def render_hits(
    documents: list[Document], query: str, lexical: LexicalIndex, limit: int, count: CountTokens
) -> ToolResult:
    """One line each, "[1] Title (ID): snippet", within `limit` tokens.

    The best document takes what it needs, the next what is left; those whose heading does not fit are left out.
    """
    lines: list[str] = []
    left = limit
    for number, document in enumerate(documents, start=1):
        lead = f"[{number}] {heading(document)}"
        room = left - count(lead) - 2
        if lines and room < 0:
            break
        said = snippet(document.sections, wanted(query, document.title), lexical.idf, room, count)
        lines.append(f"{lead}: {said}" if said else lead)
        left -= count(lines[-1]) + 1
    shown = documents[: len(lines)]
    return ToolResult("\n".join(lines), tuple(each.id for each in shown), facts=facts_of(shown, lines))
