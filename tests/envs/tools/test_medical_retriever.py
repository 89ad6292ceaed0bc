"""The score, its parts and its order; what the policy is shown."""

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from envs.corpus import Document
from envs.retrieval.authority import authority, parts
from envs.retrieval.document_vectors import document_vectors
from envs.retrieval.embedding import Encoder, Floats
from envs.retrieval.index import Index, bare_name
from envs.sources.base import Candidate
from envs.text import estimate_tokens, name_words, words
from envs.tools.medical_retriever import Hit, MedicalRetriever
from medrl.errors import ToolOutage
from medrl.sections.knowledge import KnowledgeConfig
from tests.envs.small import DOCUMENTS


@pytest.fixture(scope="module")
def retriever(index: Index, encoder: Encoder) -> MedicalRetriever:
    return MedicalRetriever(index, encoder, KnowledgeConfig())


def ids(retriever: MedicalRetriever, query: str, k: int = 3, lam: float = 0.4) -> list[str]:
    return [hit.document.id for hit in retriever.search(query, k, lam)]


@pytest.mark.parametrize("lam", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_score_is_the_papers_formula_over_its_parts(index: Index, encoder: Encoder, lam: float, share: float) -> None:
    query = "gene of ectopia lentis in Marfan syndrome"
    vector = encoder.encode([query])[0]
    hits = MedicalRetriever(index, encoder, KnowledgeConfig(dense_share=share)).search(query, 12, lam)
    assert index.embeddings is not None and len(hits) > 3
    for hit in hits:
        row = DOCUMENTS.index(hit.document)
        asked = name_words(query)
        held = [word for word in asked if word in words(hit.document.text)]
        coverage = sum(map(index.text.idf, held)) / sum(map(index.text.idf, asked))
        cosine = float(index.embeddings[row].astype(np.float32) @ vector)
        assert hit.cosine == pytest.approx(cosine, abs=1e-5) and hit.coverage == pytest.approx(coverage)
        assert hit.relevance == pytest.approx(share * cosine + (1 - share) * coverage, abs=1e-5)
        assert hit.authority == authority(hit.document)
        assert hit.score == pytest.approx(lam * hit.relevance + (1 - lam) * hit.authority)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_lam_moves_weight_from_authority_to_relevance(retriever: MedicalRetriever) -> None:
    query = "Wolf-Hirschhorn syndrome"
    assert ids(retriever, query, 1, lam=1.0) == ["DECIPHER:1"]
    assert ids(retriever, query, 1, lam=0.0) == ["OMIM:154700"]
    with pytest.raises(ValueError, match=r"lam=1\.5"):
        retriever.search(query, 1, lam=1.5)


@pytest.mark.parametrize("suffix", ["", " gene", " disease", " inheritance"])
def test_the_document_so_called_is_among_the_first_three(retriever: MedicalRetriever, suffix: str) -> None:
    for document in DOCUMENTS:
        assert document.id in ids(retriever, bare_name(document) + suffix)


def test_several_findings_find_the_disease_that_has_them_all(retriever: MedicalRetriever) -> None:
    assert ids(retriever, "arachnodactyly, aortic root aneurysm, ectopia lentis", 1) == ["OMIM:154700"]


def test_a_misspelt_name_is_found_by_embedding(retriever: MedicalRetriever) -> None:
    hits = retriever.search("achondroplasya", 3)
    assert hits[0].document.id == "OMIM:100800" and all(hit.coverage == 0.0 for hit in hits)
    assert "OMIM:100800" in ids(retriever, "achondroplasya gene")


def test_same_query_same_hits(retriever: MedicalRetriever) -> None:
    assert retriever.search("lens disease", 5) == retriever.search("lens disease", 5)


def test_what_the_policy_is_shown(retriever: MedicalRetriever) -> None:
    result = asyncio.run(retriever.call({"query": "Marfan syndrome gene"}))
    first, second, third = result.text.splitlines()
    assert first == "[1] Marfan syndrome (OMIM:154700): Gene: FBN1."
    assert second.startswith("[2] ") and third.startswith("[3] ")
    assert result.sources[0] == "OMIM:154700" and len(result.sources) == 3 and not result.is_mistake


@pytest.mark.parametrize("query", ["pectus carinatum", "ectopia lentis", "ocular findings of Marfan syndrome"])
def test_hits_keep_to_the_limit(index: Index, encoder: Encoder, query: str) -> None:
    for limit in (60, 100, 150):
        retriever = MedicalRetriever(index, encoder, KnowledgeConfig(tool_tokens=limit))
        result = asyncio.run(retriever.call({"query": query}))
        assert len(result.text.splitlines()) == len(result.sources) >= (2 if limit == 150 else 1)
        assert estimate_tokens(result.text) <= limit + 3


def test_a_query_without_words_is_a_mistake(retriever: MedicalRetriever) -> None:
    result = asyncio.run(retriever.call({"query": "?!"}))
    assert result.is_mistake and "Name a disease" in result.text
    assert asyncio.run(retriever.call({"question": "x"})).is_mistake


def test_prepared_queries_find_the_same(index: Index, encoder: Encoder) -> None:
    queries = [f"{name} gene" for name in ("Marfan syndrome", "achondroplasia", "ectopia lentis")]
    one_by_one = MedicalRetriever(index, encoder, KnowledgeConfig())
    together = MedicalRetriever(index, encoder, KnowledgeConfig())
    together.prepare(queries)
    for query in queries:
        assert ids(together, query, 5) == ids(one_by_one, query, 5)
    together.prepare(queries[:1], -encoder.encode(queries[:1]))  # what is given is what is used
    assert together.search(queries[0], 1)[0].cosine < 0 < one_by_one.search(queries[0], 1)[0].cosine


def test_dense_candidates_join_those_by_words(index: Index, encoder: Encoder) -> None:
    """With as many as there are documents, all are scored, whatever words they have; with none, those with a word."""
    query = "findings of marfan"
    everything = MedicalRetriever(index, encoder, KnowledgeConfig(dense_candidates=12)).search(query, 12)
    by_words = MedicalRetriever(index, encoder, KnowledgeConfig(dense_candidates=0, candidates=3)).search("marfan", 3)
    assert len(everything) == len(DOCUMENTS) and len(by_words) == 3
    assert all("marfan" in words(hit.document.text) for hit in by_words)


class Shelf:
    """A source in memory. `vectors`: whether it brings them."""

    def __init__(self, name: str, documents: list[Document], vectors: Floats | None = None) -> None:
        self.name = name
        self._documents = documents
        self._vectors = vectors
        self.asked: list[tuple[str, int]] = []

    async def candidates(self, query: str, vector: Floats, k: int) -> list[Candidate]:
        self.asked.append((query, k))
        await asyncio.sleep(0)
        if self._vectors is None:
            return [Candidate(document) for document in self._documents]
        return [Candidate(document, each) for document, each in zip(self._documents, self._vectors, strict=True)]

    async def document(self, id: str) -> Document | None:
        return next((document for document in self._documents if document.id == id), None)


class Closed(Shelf):
    """A source that cannot be reached."""

    async def candidates(self, query: str, vector: Floats, k: int) -> list[Candidate]:
        raise ToolOutage(f"{self.name}: unreachable")


GUIDELINE = Document(
    "PMID:7",
    "Aortic root surgery in Marfan syndrome",
    ("Surgery is advised.",),
    "pubmed",
    "",
    (),
    ("practice guideline",),
)
RETRACTED = Document(
    "PMID:8", "Marfan syndrome gene", ("Marfan syndrome gene.",), "pubmed", "", (), ("retracted publication",)
)


def test_documents_of_sources_are_ranked_by_the_same_score(index: Index, encoder: Encoder) -> None:
    query = "aortic surgery in Marfan syndrome"
    bare, brought = Shelf("bare", [GUIDELINE, DOCUMENTS[0]]), Shelf("brought", [RETRACTED, GUIDELINE], np.eye(2, 384))
    config = KnowledgeConfig()
    hits = asyncio.run(MedicalRetriever(index, encoder, config, sources=[bare, brought]).search_all(query, 40, 0.4))
    by_id = {hit.document.id: hit for hit in hits}
    assert len(by_id) == len(hits) and bare.asked == brought.asked == [(query, 40)]
    # What several give is scored as the first gave it: the ontology first, then the sources in their order.
    assert by_id["OMIM:154700"].found_by == "knowledge"
    assert by_id["PMID:7"].found_by == "bare" and by_id["PMID:8"].found_by == "brought"
    vector = encoder.encode([query])[0]
    assert by_id["PMID:7"].cosine == pytest.approx(float(document_vectors([GUIDELINE], encoder)[0] @ vector), abs=1e-4)
    assert by_id["PMID:8"].cosine == pytest.approx(float(vector[0]))
    for hit in (by_id["PMID:7"], by_id["PMID:8"]):
        held = [word for word in name_words(query) if word in words(hit.document.text)]
        coverage = sum(map(index.text.idf, held)) / sum(map(index.text.idf, name_words(query)))
        assert hit.coverage == pytest.approx(coverage) and hit.authority == authority(hit.document)
        assert hit.score == pytest.approx(0.4 * (hit.cosine + hit.coverage) / 2 + 0.6 * hit.authority)
        assert hit.grounds == parts(hit.document)
    assert hits[0].document.id == "PMID:7" and hits[-1].document.id == "PMID:8"
    own = [hit for hit in hits if hit.found_by == "knowledge"]
    assert own == MedicalRetriever(index, encoder, config).search(query, 40)


def test_the_policy_is_shown_what_sources_found(index: Index, encoder: Encoder) -> None:
    retriever = MedicalRetriever(index, encoder, KnowledgeConfig(), sources=[Shelf("shelf", [GUIDELINE])])
    result = asyncio.run(retriever.call({"query": "aortic root surgery in Marfan syndrome"}))
    assert result.sources[0] == "PMID:7" and "(PMID:7): Surgery is advised." in result.text


def test_an_outage_of_one_source_is_an_outage(index: Index, encoder: Encoder) -> None:
    sources = [Shelf("shelf", [GUIDELINE]), Closed("pubmed", [])]
    retriever = MedicalRetriever(index, encoder, KnowledgeConfig(), sources=sources)
    with pytest.raises(ToolOutage, match="pubmed: unreachable"):
        asyncio.run(retriever.call({"query": "Marfan syndrome"}))


def test_what_sources_found_is_encoded_beside_the_event_loop(index: Index, encoder: Encoder) -> None:
    threads: list[int] = []

    class Watched(MedicalRetriever):
        def score(self, *arguments: Any) -> list[Hit]:
            threads.append(threading.get_ident())
            return super().score(*arguments)

    shelf = Shelf("shelf", [GUIDELINE])
    asyncio.run(Watched(index, encoder, KnowledgeConfig(), sources=[shelf]).search_all("Marfan syndrome", 3))
    assert len(threads) == 1 and threads[0] != threading.get_ident()
    asyncio.run(Watched(index, encoder, KnowledgeConfig()).search_all("Marfan syndrome", 3))
    assert len(threads) == 1  # nothing found elsewhere, nothing to score


@pytest.mark.parametrize("lam", [-0.1, 1.1])
def test_lam_is_a_share(index: Index, encoder: Encoder, lam: float) -> None:
    shelf = Shelf("shelf", [GUIDELINE])
    retriever = MedicalRetriever(index, encoder, KnowledgeConfig(), sources=[shelf])
    with pytest.raises(ValueError, match="must be within"):
        asyncio.run(retriever.search_all("Marfan syndrome", 3, lam))
    with pytest.raises(ValueError, match="must be within"):
        retriever.search("Marfan syndrome", 3, lam)
    assert shelf.asked == []
