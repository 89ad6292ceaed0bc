import numpy as np

from envs.corpus import Document
from kisa.documents import medical_documents
from kisa.entities import CorpusFrequency, count_mentions, is_meaningful, rare_seeds
from kisa.graph import KnowledgeGraph
from kisa.names import occurs
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
    assert "9 documents" in CorpusFrequency(9, {}).describe(25) and "30M" in CorpusFrequency(9, {}).describe(25)


def test_meaningful_means_identified_annotated_and_cited(graph: KnowledgeGraph) -> None:
    assert is_meaningful(graph, graph.entities["OMIM:4"])
    assert not is_meaningful(graph, graph.entities["HP:0000478"])  # a bare class of the ontology
    assert not is_meaningful(graph, graph.entities["HP:1000007"])  # only known to be absent
    assert not is_meaningful(graph, Entity("made-up", "Alpha", "disease"))
