"""Evidence from the medical corpus, ranked by Score(d, q) = λ·Rel(d, q) + (1 − λ)·Auth(d) (arXiv:2508.14880).

The corpus is the ontology's own documents, in an index that is at hand, and whatever other sources are configured: live
registries, corpora on disk. What all of them find is ranked by the one score.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from envs.corpus import Document
from envs.facts import facts_of
from envs.retrieval.authority import Part, parts, total
from envs.retrieval.document_vectors import document_vectors
from envs.retrieval.embedding import Encoder, Floats
from envs.retrieval.index import Index
from envs.retrieval.journals import Journals
from envs.retrieval.lexical import LexicalIndex
from envs.snippets import CountTokens, snippet, wanted
from envs.sources.base import Candidate, Source
from envs.text import content_words, estimate_tokens, name_words, words
from envs.tools.arguments import check_arguments, object_schema, text_schema
from envs.tools.base import UNTRUSTED, ToolResult
from medrl.errors import ConfigError
from medrl.sections.knowledge import KnowledgeConfig

#: `Hit.found_by` of the ontology's own documents.
KNOWLEDGE = "knowledge"
#: Queries whose vectors are kept, 1.5 kB each.
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Hit:
    """A document and how its score came about.

    `score` = λ·relevance + (1 − λ)·authority; `relevance` = share·cosine + (1 − share)·coverage, where `cosine` is
    that of the embeddings and `coverage` the idf-weighted part of the query's words that the document holds, in [0, 1].
    `found_by`: the source that gave the document; `grounds`: what its authority is made of.
    """

    document: Document
    score: float
    relevance: float
    authority: float
    cosine: float
    coverage: float
    found_by: str = KNOWLEDGE
    grounds: tuple[Part, ...] = ()


class MedicalRetriever:
    """The tool `medical_retriever`, and `search` behind it."""

    name = "medical_retriever"
    description = "Search medical evidence on diseases, genes and findings."
    parameters: Mapping[str, Any] = object_schema(query=text_schema("what to look for"))

    def __init__(
        self,
        index: Index,
        encoder: Encoder,
        config: KnowledgeConfig,
        count_tokens: CountTokens = estimate_tokens,
        sources: Sequence[Source] = (),
    ) -> None:
        """`sources` are asked beside `index` at every call. Raises DataError if knowledge.journals cannot be read."""
        self._index = index
        self._encoder = encoder
        self._config = config
        self._count = count_tokens
        self._sources = tuple(sources)
        self._journals = Journals.read(Path(config.journals).expanduser()) if config.journals else None
        self._prepared: dict[str, Floats] = {}
        # Episodes of one question ask much the same, and to encode a query takes longer than the rest of a search.
        self._encode = lru_cache(_REMEMBERED)(lambda query: encoder.encode([query])[0])

    def prepare(self, queries: Sequence[str], vectors: Floats | None = None) -> None:
        """Encode queries that will be searched for together, which takes a fifth to a twentieth of the time that they
        take one by one. `vectors` [queries, dimensions]: their embeddings, if they are known.
        """
        encoded = self._encoder.encode(queries) if vectors is None else vectors
        self._prepared.update(zip(queries, encoded, strict=True))

    def search(self, query: str, k: int, lam: float = 0.4) -> list[Hit]:
        """The `k` best of the ontology's documents, best first; ties go to the one that comes first in the corpus.

        The paper's Rel is the cosine alone: `knowledge.dense_share` = 1. One vector for a document does not tell
        which of its many findings are there, so half of Rel is lexical by default. Candidates are the best by BM25 and
        the nearest by embedding, more of the latter where a word of the query occurs nowhere (a misspelt name).
        """
        return _best(self._own(query, self._encoded(query), k, lam), k)

    async def search_all(self, query: str, k: int, lam: float = 0.4) -> list[Hit]:
        """The `k` best of the ontology's documents and of those that the sources give, which are asked side by side.

        A document that several give is scored as the first gave it, the ontology first. Raises ToolOutage if a source
        cannot be reached: what is missing would look as if it did not exist.
        """
        vector = self._encoded(query)
        hits = self._own(query, vector, k, lam)
        most = max(k, self._config.candidates)
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(each.candidates(query, vector, most)) for each in self._sources]
        except ExceptionGroup as failed:  # what no further try will mend is told before what may pass
            raise min(failed.exceptions, key=lambda error: not isinstance(error, ConfigError)) from failed
        known = {hit.document.id for hit in hits}
        found: list[tuple[str, Candidate]] = []
        for source, task in zip(self._sources, asked, strict=True):
            for candidate in task.result():
                if candidate.document.id not in known:
                    known.add(candidate.document.id)
                    found.append((source.name, candidate))
        # In a thread: dozens may have to be encoded, a tenth of a second in which other episodes go on.
        return _best(hits + (await asyncio.to_thread(self.score, query, vector, found, lam) if found else []), k)

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """The top documents, one a line, with the sections that serve the query."""
        mistake = check_arguments(self, arguments)
        if mistake is not None:
            return mistake
        query: str = arguments["query"]
        if not words(query):
            return ToolResult.mistake(f"{self.name}: `query` has no words. Name a disease, a gene or a finding.")
        hits = await self.search_all(query, self._config.top_k, self._config.lam)
        documents = [hit.document for hit in hits]
        strangers = {hit.document.id for hit in hits if hit.found_by != KNOWLEDGE}
        return render_hits(documents, query, self._index.text, self._config.tool_tokens, self._count, strangers)

    def _encoded(self, query: str) -> Floats:
        vector = self._prepared.get(query)
        return self._encode(query) if vector is None else vector

    def _own(self, query: str, vector: Floats, k: int, lam: float) -> list[Hit]:
        """The index's candidates, scored, in corpus order."""
        if not 0.0 <= lam <= 1.0:
            raise ValueError(f"lam={lam}: must be within [0, 1]")
        names = name_words(query)
        most = max(k, self._config.candidates)
        known = all(name in self._index.text for name in names)
        near = self._index.nearest(vector, self._config.dense_candidates if known else most)
        rows = np.union1d(self._index.candidates(content_words(query), most), near)
        cosine, coverage = self._index.cosines(vector, rows), self._index.coverage(names, rows)
        return [
            self._hit(self._index.document(row), cos, covered, lam, KNOWLEDGE)
            for row, cos, covered in zip(rows.tolist(), cosine.tolist(), coverage.tolist(), strict=True)
        ]

    def score(self, query: str, vector: Floats, found: Sequence[tuple[str, Candidate]], lam: float) -> list[Hit]:
        """Candidates, each with the name of its source, in their order; those without a vector are encoded together.

        `vector`: the query's unit embedding [dimensions].
        """
        vectors = [candidate.vector for _, candidate in found]
        bare = [place for place, each in enumerate(vectors) if each is None]
        made = document_vectors([found[place][1].document for place in bare], self._encoder)
        for place, each in zip(bare, made, strict=True):
            vectors[place] = each
        names = name_words(query)
        hits = []
        for (name, candidate), each in zip(found, vectors, strict=True):
            covered = self._index.text.covered(names, frozenset(words(candidate.document.text)))
            cosine = float(np.dot(vector, np.asarray(each, np.float32)))
            hits.append(self._hit(candidate.document, cosine, covered, lam, name))
        return hits

    def _hit(self, document: Document, cosine: float, coverage: float, lam: float, found_by: str) -> Hit:
        share = self._config.dense_share
        relevance = share * cosine + (1.0 - share) * coverage
        grounds = parts(document, self._journals)
        weight = total(grounds)
        score = lam * relevance + (1.0 - lam) * weight
        return Hit(document, score, relevance, weight, cosine, coverage, found_by, grounds)


def _best(hits: list[Hit], k: int) -> list[Hit]:
    return sorted(hits, key=lambda hit: -hit.score)[:k]


def heading(document: Document) -> str:
    """The title, with the id behind it where the title does not say what the document is about."""
    return document.title if document.title.endswith(")") else f"{document.title} ({document.id})"


def render_hits(
    documents: list[Document],
    query: str,
    lexical: LexicalIndex,
    limit: int,
    count: CountTokens,
    strangers: Collection[str] = (),
) -> ToolResult:
    """One line each, "[1] Title (ID): snippet", within `limit` tokens; `strangers`: ids of those marked UNTRUSTED. One
    line whatever a document holds, so that none can pass for another.

    The best document takes what it needs, the next what is left; those whose heading does not fit are left out.
    """
    lines: list[str] = []
    left = limit
    for number, document in enumerate(documents, start=1):
        mark = UNTRUSTED if document.id in strangers else ""
        lead = f"[{number}] {mark}{_one_line(heading(document))}"
        room = left - count(lead) - 2
        if lines and room < 0:
            break
        said = snippet([*map(_one_line, document.sections)], wanted(query, document.title), lexical.idf, room, count)
        lines.append(f"{lead}: {said}" if said else lead)
        left -= count(lines[-1]) + 1
    shown = documents[: len(lines)]
    return ToolResult("\n".join(lines), tuple(each.id for each in shown), facts=facts_of(shown, lines))


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())
