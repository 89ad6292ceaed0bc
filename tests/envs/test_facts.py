"""What a tool showed as facts, and nothing that it did not show."""

import asyncio

import pytest

from envs.corpus import Document
from envs.facts import SUGGESTS, facts_in, ranking, read_facts
from envs.profiles import ProfileTable
from envs.retrieval.embedding import Encoder
from envs.retrieval.index import Index
from envs.tools.clinical_reasoning import ClinicalReasoning, ClinicalReasoningEngine
from envs.tools.document_read import DocumentRead
from envs.tools.medical_retriever import MedicalRetriever, heading
from envs.tools.web_search import LocalProvider, WebSearch
from medrl.sections.knowledge import KnowledgeConfig
from medrl.state import Candidate, Fact
from tests.envs.small import DOCUMENTS

MARFAN, PECTUS, WOLF = DOCUMENTS[0], DOCUMENTS[9], DOCUMENTS[4]


def pairs(facts: tuple[Fact, ...]) -> list[tuple[str, str]]:
    return [(fact.predicate, fact.object) for fact in facts]


def test_a_list_is_a_fact_an_item() -> None:
    shown = "Marfan syndrome (OMIM:154700): Gene: FBN1. Ocular findings: Ectopia lentis; Myopia; Retinal detachment."
    assert facts_in(MARFAN, shown)[0] == Fact("Marfan syndrome", "gene", "FBN1", "OMIM:154700")
    assert pairs(facts_in(MARFAN, shown)) == [
        ("gene", "FBN1"),
        ("ocular findings", "Ectopia lentis"),
        ("ocular findings", "Myopia"),
        ("ocular findings", "Retinal detachment"),
    ]


@pytest.mark.parametrize(
    ("shown", "kept"),
    [
        ("Ocular findings: Ectopia lentis; …", ["Ectopia lentis"]),
        ("Ocular findings: Ectopia lentis; Myo …", ["Ectopia lentis"]),
        ("Ocular findings: …; Myopia; …", ["Myopia"]),
        ("Ocular findings: Severe Myopia.", []),  # an item is whole
        ("More ocular findings: Myopia.", []),  # the document has no such list
        ("Myopia.", []),  # under no label
        ("Skeletal findings: Myopia.", []),  # under another label
        ("", []),
    ],
)
def test_what_was_cut_or_stands_elsewhere_is_no_fact(shown: str, kept: list[str]) -> None:
    assert [fact.object for fact in facts_in(MARFAN, shown)] == kept


def test_labels_lose_what_only_counts() -> None:
    assert pairs(facts_in(PECTUS, PECTUS.text))[:2] == [
        ("seen in", "Noonan syndrome 1"),
        ("seen in", "Marfan syndrome"),
    ]
    assert "not known" not in dict(pairs(facts_in(WOLF, WOLF.text))).values()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_text_alone_holds_the_same_facts(document: Document) -> None:
    """Episodes that were kept without a state are read again from what they showed."""
    line = f"[1] {heading(document)}: {' '.join(document.sections)}"
    assert read_facts(line, (document.id,)) == facts_in(document, line) != ()


def test_a_differential_ranks_and_suggests() -> None:
    shown = "1. Marfan syndrome (OMIM:154700) P=0.82; Myopia 0.60 (PMID:1)\n2. Homocystinuria (OMIM:236200) P=7e-03; …"
    read = ranking(shown, ["Myopia", "Scoliosis"], ("OMIM:154700", "OMIM:236200"))
    assert read["hypotheses"] == (Candidate("Marfan syndrome", 0.82), Candidate("Homocystinuria", 0.007))
    assert read["facts"] == tuple(
        Fact(each, SUGGESTS, "Marfan syndrome", "OMIM:154700") for each in ("Myopia", "Scoliosis")
    )
    assert ranking("unknown finding", ["x"], ()) == {"facts": (), "hypotheses": ()}


def test_each_tool_says_what_it_returned(index: Index, web: Index, table: ProfileTable, encoder: Encoder) -> None:
    config = KnowledgeConfig()
    searched = asyncio.run(MedicalRetriever(index, encoder, config).call({"query": "Marfan syndrome gene"}))
    assert Fact("Marfan syndrome", "gene", "FBN1", "OMIM:154700") in searched.facts
    assert searched.facts == read_facts(searched.text, searched.sources)
    read = asyncio.run(DocumentRead(index, encoder, 150).call({"document": "CBS", "goal": "diseases"}))
    assert read.facts == (Fact("CBS", "diseases", "Homocystinuria", "NCBIGene:875"),)
    general = asyncio.run(WebSearch(LocalProvider(web), web.text, 3, 150).call({"query": "pigeon chest"}))
    assert general.facts[0] == Fact("Pectus carinatum", "in everyday words", "Pigeon chest", "web:HP:0000768")
    engine = ClinicalReasoningEngine(table)
    ranked = asyncio.run(ClinicalReasoning(engine, 150).call({"findings": ["Ectopia lentis", "Arachnodactyly"]}))
    assert [each.name for each in ranked.hypotheses][:1] == ["Marfan syndrome"] and len(ranked.hypotheses) == 3
    assert ranked.hypotheses[0].probability == pytest.approx(
        engine.posterior(["Ectopia lentis", "Arachnodactyly"]).top(1)[0].probability, abs=0.005
    )


def test_a_tool_that_may_show_little_states_little(index: Index, encoder: Encoder) -> None:
    """The more room, the more facts; never one whose object the text lacks."""
    counts = []
    for limit in (20, 60, 200):
        result = asyncio.run(
            DocumentRead(index, encoder, limit).call({"document": "Pectus carinatum", "goal": "disease"})
        )
        assert all(fact.object in result.text for fact in result.facts)
        counts.append(len(result.facts))
    assert counts == sorted(counts) and counts[0] < counts[-1]
