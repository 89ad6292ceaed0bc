import numpy as np
import pytest

from envs.corpus import Document
from kisa.counting import Counts
from kisa.documents import medical_documents
from kisa.entities import CorpusFrequency, count_mentions, countable, frequency_of, is_meaningful, rare_seeds
from kisa.graph import KnowledgeGraph
from kisa.names import occurs
from medrl.errors import DataError
from medrl.types import Entity


def test_mentions_are_the_documents_that_name_an_entity(graph: KnowledgeGraph) -> None:
    corpus = list(medical_documents(graph))
    counted = count_mentions(graph, corpus)
    assert counted.documents == len(corpus)
    for entity in graph.entities.values():
        if entity.kind in ("disease", "gene", "phenotype"):
            by_hand = sum(occurs(entity.name, document.text) for document in corpus)
            assert counted.mentions[entity.id] == by_hand, entity


def test_the_longest_name_wins_and_genes_keep_their_case(graph: KnowledgeGraph) -> None:
    def mentions(text: str) -> set[str]:
        counted = count_mentions(graph, [Document("x", "Title", (text,), "web", "")])
        return {graph.entities[each].name for each, count in counted.mentions.items() if count}

    assert mentions("abnormality of the skeletal system") == {"Abnormality of the skeletal system"}
    assert mentions("AAA1 and ALPHA   disease") == {"AAA1", "Alpha disease"}
    assert mentions("aaa1 repeats") == set()


def test_rare_is_a_percentile_within_the_kind(graph: KnowledgeGraph) -> None:
    counted = count_mentions(graph, medical_documents(graph))
    everything = {each.id for each in rare_seeds(graph, counted, 100)}
    assert everything == {
        each.id
        for each in graph.entities.values()
        if each.id.startswith(("OMIM", "NCBI", "HP:1")) and each.id[-1] != "7"
    }
    for percentile in (10, 50):
        rare = {each.id for each in rare_seeds(graph, counted, percentile)}
        for kind in ("disease", "gene", "phenotype"):
            ids = [each.id for each in graph.of_kind(kind) if each.id in everything]
            threshold = np.percentile([counted.mentions[each] for each in ids], percentile, method="lower")
            assert {each for each in ids if each in rare} == {
                each for each in ids if counted.mentions[each] <= threshold
            }


def test_rare_is_below_the_paper_s_threshold_where_there_are_documents_enough(graph: KnowledgeGraph) -> None:
    mentions = {each.id: 4 for each in graph.entities.values()} | {"OMIM:1": 3, "OMIM:2": 2, "NCBIGene:11": 0}

    def rare(documents: int, percentile: float = 1) -> set[str]:
        return {each.id for each in rare_seeds(graph, CorpusFrequency(documents, mentions), percentile)}

    assert rare(3_000_000) == {"OMIM:2", "NCBIGene:11"}  # 3 in 3 million is 1e-6, which is not below it
    assert rare(3_000_001) == {"OMIM:1", "OMIM:2", "NCBIGene:11"} == rare(3_000_001, percentile=99)
    assert rare(1_000_000) == {"NCBIGene:11"}
    assert {"OMIM:2", "NCBIGene:11"} < rare(999_999)  # the percentile takes some of every kind
    assert rare(999_999, 100) > rare(999_999)


def test_what_rare_means_is_said_with_the_denominator(graph: KnowledgeGraph) -> None:
    said = CorpusFrequency(999_999, {"a": 0}).describe(25)
    assert "percentile 25" in said and "999,999 documents" in said and "1.0e-06" in said
    said = CorpusFrequency(30_000_000, {"a": 0, "b": 29, "c": 30, "d": 31}).describe(25)
    assert "percentile" not in said and "1e-06 of 30,000,000 documents" in said and "2 of 4 entities" in said


def test_counts_of_another_ontology_are_refused(graph: KnowledgeGraph) -> None:
    whole = count_mentions(graph, medical_documents(graph))
    mentions = {key: count for key, count in whole.mentions.items() if key != "OMIM:2"}
    for documents in (9, 3_000_000):
        with pytest.raises(DataError, match="does not count OMIM:2: run `medrl count` with this ontology"):
            rare_seeds(graph, CorpusFrequency(documents, mentions), 25)


def test_an_entity_that_is_never_named_counts_0(graph: KnowledgeGraph) -> None:
    assert frequency_of(["a", "b"], Counts(7, 9, {"b": 2, "c": 3})) == CorpusFrequency(7, {"a": 0, "b": 2})
    assert set(countable(graph)) == set(count_mentions(graph, []).mentions)


def test_meaningful_means_identified_annotated_and_cited(graph: KnowledgeGraph) -> None:
    assert is_meaningful(graph, graph.entities["OMIM:4"])
    assert not is_meaningful(graph, graph.entities["HP:0000478"])  # a bare class of the ontology
    assert not is_meaningful(graph, graph.entities["HP:1000007"])  # only known to be absent
    assert not is_meaningful(graph, Entity("made-up", "Alpha", "disease"))
