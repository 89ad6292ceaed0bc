from itertools import product

import pytest

from kisa.graph import KnowledgeGraph
from kisa.query import answers, followers, functional_relations, functional_steps, is_listed
from medrl.types import Query
from tests.oracles_kisa import answers_by_enumeration

STEPS = [
    ("presents_in", "", ""),
    ("caused_by", "", ""),
    ("causes", "", ""),
    ("is_a", "", ""),
    ("has_finding", "organ_system", "ocular"),
    ("has_finding", "organ_system", "skeletal"),
    ("has_finding", "frequency_class", "frequent"),
    ("causes", "shows", "HP:1000005"),
    ("presents_in", "shows", "HP:1000003"),
]


@pytest.mark.parametrize("anchor", ["HP:1000001", "HP:1000003", "OMIM:1", "NCBIGene:11"])
def test_answers_are_those_of_enumeration(graph: KnowledgeGraph, anchor: str) -> None:
    some = 0
    for steps in [*product(STEPS, repeat=1), *product(STEPS, repeat=2)]:
        query: Query = ((anchor,), steps)
        found = answers(graph, query)
        assert found == answers_by_enumeration(graph, query), steps
        some += bool(found)
    assert some >= 2


def test_the_other_disease_is_not_the_one_it_came_from(graph: KnowledgeGraph) -> None:
    query: Query = (("HP:1000001",), (("presents_in", "", ""), ("caused_by", "", ""), ("causes", "", "")))
    assert answers(graph, query) == {"OMIM:2"}


def test_findings_together_are_an_intersection(graph: KnowledgeGraph) -> None:
    step = (("presents_in", "", ""),)
    assert answers(graph, (("HP:1000002",), step)) == {"OMIM:1", "OMIM:2"}
    assert answers(graph, (("HP:1000002", "HP:1000005"), step)) == {"OMIM:2"}
    assert answers(graph, ((), step)) == set()


def test_a_finding_counts_in_every_organ_system_above_it(graph: KnowledgeGraph) -> None:
    delta = graph.entities["OMIM:4"]
    assert followers(graph, delta, ("has_finding", "organ_system", "skeletal")) == {"HP:1000003", "HP:1000004"}
    assert followers(graph, delta, ("has_finding", "organ_system", "limb")) == {"HP:1000003", "HP:1000004"}
    assert followers(graph, delta, ("has_finding", "organ_system", "limb"), ["HP:1000003"]) == {"HP:1000004"}


def test_functional_relations_are_those_with_a_functional_step(graph: KnowledgeGraph) -> None:
    for entity in graph.entities.values():
        for visited, narrow in product((set(), {"OMIM:1"}, {"HP:1000003", "OMIM:2"}), (False, True)):
            known = visited | {entity.id}
            expected = {
                (relation.subject.id, relation.object.id)
                for predicate in ("presents_in", "has_finding", "is_a", "caused_by", "causes")
                for relation in graph.out(entity, predicate)
                if relation.object.id not in known and functional_steps(graph, relation, known, narrow=narrow)
            }
            found = functional_relations(graph, entity, known, narrow=narrow)
            assert {(each.subject.id, each.object.id) for each in found} == expected, entity


def test_a_step_is_narrowed_by_a_finding_only_where_it_must_be(graph: KnowledgeGraph) -> None:
    gene, beta = graph.entities["NCBIGene:11"], graph.entities["OMIM:2"]
    relation = graph.between(gene, beta)
    assert relation is not None
    assert functional_steps(graph, relation, {gene.id}) == []
    assert functional_steps(graph, relation, {gene.id}, narrow=True) == [("causes", "shows", "HP:1000005")]
    assert functional_steps(graph, relation, {gene.id, "OMIM:1"}, narrow=True) == [("causes", "", "")]
    assert functional_steps(graph, relation, {gene.id, "HP:1000005"}, narrow=True) == []


def test_no_step_is_narrowed_by_what_no_list_shows_whole(
    graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_listed(graph, graph.entities["HP:1000005"], "presents_in")
    assert not is_listed(graph, graph.entities["HP:0000478"], "presents_in")  # its diseases show narrower findings
    monkeypatch.setattr("kisa.query.MOST_LISTED", 1)
    relation = graph.between(graph.entities["NCBIGene:11"], graph.entities["OMIM:2"])
    assert relation is not None and functional_steps(graph, relation, {"NCBIGene:11"}, narrow=True) == []
