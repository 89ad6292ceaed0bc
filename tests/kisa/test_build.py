from collections import Counter

from kisa.graph import CHAIN_PREDICATES, KnowledgeGraph
from medrl.types import Relation


def _relation(graph: KnowledgeGraph, subject: str, predicate: str, target: str) -> Relation:
    return next(each for each in graph.out(graph.entities[subject], predicate) if each.object.id == target)


def test_counts_by_predicate(graph: KnowledgeGraph) -> None:
    counts = {predicate: sum(map(len, by.values())) for predicate, by in graph.relations.items()}
    assert counts["has_finding"] == counts["presents_in"] == 9
    assert counts["caused_by"] == counts["causes"] == 4
    assert counts["inherited_as"] == counts["has_onset"] == 1


def test_same_disease_of_two_catalogues_is_one(graph: KnowledgeGraph) -> None:
    assert "ORPHA:9" not in graph.entities
    facts = graph.facts["OMIM:1"]
    assert facts.merged == ("ORPHA:9",)
    assert "Disease, alpha" in facts.aliases
    relation = _relation(graph, "OMIM:1", "has_finding", "HP:1000001")
    assert relation.provenance == {"reference": "PMID:1;ORPHA:9", "evidence": "PCS"}
    assert relation.temporal == {"curated": "2021-05-06"}


def test_six_tuple_holds_what_the_source_says_and_nothing_empty(graph: KnowledgeGraph) -> None:
    relation = _relation(graph, "HP:1000002", "presents_in", "OMIM:1")
    assert relation.temporal == {"onset": "Congenital onset", "curated": "2019-02-03"}
    assert relation.spatial == {"organ_system": "growth"}
    assert relation.clinical == {"sex": "male"}
    pooled = _relation(graph, "OMIM:1", "has_finding", "HP:1000003")
    assert pooled.clinical == {"frequency": "7/10", "frequency_class": "frequent"}
    assert pooled.provenance["evidence"] == "PCS"
    everything = [each for by in graph.relations.values() for relations in by.values() for each in relations]
    for each in everything:
        for field in (each.temporal, each.spatial, each.clinical, each.provenance):
            assert all(field.values())


def test_negative_evidence_is_never_an_edge(graph: KnowledgeGraph) -> None:
    absent = {(each, finding.object.id) for each in ("OMIM:2", "OMIM:3") for finding in graph.facts[each].absent}
    assert absent == {("OMIM:2", "HP:1000007"), ("OMIM:3", "HP:1000002")}  # 0/5, and NOT
    for disease, finding in absent:
        assert graph.between(graph.entities[disease], graph.entities[finding]) is None
        assert graph.between(graph.entities[finding], graph.entities[disease]) is None


def test_organ_systems_nearest_first_and_musculoskeletal_split(graph: KnowledgeGraph) -> None:
    assert graph.facts["HP:1000003"].systems == ("limb", "skeletal")
    assert "system:HP:0000924" in graph.entities
    assert "system:HP:0033127" not in graph.entities


def test_carriers_follow_the_true_path_rule(graph: KnowledgeGraph) -> None:
    assert graph.carriers["HP:1000004"] == {"OMIM:4"}
    assert graph.carriers["HP:1000003"] == {"OMIM:1", "OMIM:4"}
    assert graph.carriers["HP:0000478"] == {"OMIM:1", "OMIM:3"}


def test_between_agrees_with_a_scan_of_all_edges(graph: KnowledgeGraph) -> None:
    chain = set(CHAIN_PREDICATES.values())
    edges = {
        (each.subject.id, each.object.id): each
        for predicate in chain
        for relations in graph.relations[predicate].values()
        for each in relations
    }
    for left in graph.entities.values():
        for right in graph.entities.values():
            assert graph.between(left, right) is edges.get((left.id, right.id))


def test_network_is_the_same_graph(graph: KnowledgeGraph) -> None:
    network = graph.network
    assert set(network.nodes) == set(graph.entities.values())
    by_predicate = Counter(predicate for _, _, predicate in network.edges(keys=True))
    assert by_predicate == {name: sum(map(len, by.values())) for name, by in graph.relations.items() if by}
    assert all(
        (data["relation"].subject, data["relation"].object) == (left, right)
        for left, right, data in network.edges(data=True)
    )


def test_specialty_is_the_most_typical_one(graph: KnowledgeGraph) -> None:
    assert graph.facts["OMIM:3"].specialty == "ophthalmology"  # heart and eye tie; findings of the eye are rarer
    assert graph.facts["OMIM:4"].specialty == "orthopaedics"
    assert graph.facts["HP:1000001"].specialty == "ophthalmology"


def test_plain_triples_are_the_same_links_without_their_context(graph: KnowledgeGraph) -> None:
    plain = graph.without_context()
    for predicate, by_subject in graph.relations.items():
        for subject, relations in by_subject.items():
            bare = plain.relations[predicate][subject]
            assert [each.object for each in bare] == [each.object for each in relations]
            assert [each.provenance for each in bare] == [each.provenance for each in relations]
            assert not any(each.temporal or each.spatial or each.clinical for each in bare)
    assert any(each.spatial for each in graph.out(graph.entities["OMIM:1"], "has_finding"))
