from itertools import permutations

import pytest

from kisa.graph import KnowledgeGraph
from kisa.splits import assign_splits
from kisa.validity import Validity, _are_twins
from medrl.types import Entity


@pytest.fixture
def validity(graph: KnowledgeGraph) -> Validity:
    return Validity(graph, assign_splits(graph, 0.0, 0), 2, 4, 60, 45)


def _path(graph: KnowledgeGraph, *identifiers: str) -> tuple[Entity, ...]:
    return tuple(graph.entities[identifier] for identifier in identifiers)


def test_the_longest_chain_of_the_small_ontology(graph: KnowledgeGraph, validity: Validity) -> None:
    chain = _path(graph, "HP:1000001", "OMIM:1", "NCBIGene:11", "OMIM:2", "HP:1000005")
    for end in (3, 4, 5):
        assert validity(chain[:end])
    assert not validity(chain[:2])  # one hop is below the bound
    assert not validity.with_hops(2, 3)(chain)


@pytest.mark.parametrize(
    ("identifiers", "why"),
    [
        (("HP:1000001", "OMIM:1", "NCBIGene:11", "OMIM:1"), "an entity twice"),
        (("NCBIGene:11", "OMIM:1", "HP:1000001"), "the gene has two diseases"),
        (("HP:1000002", "OMIM:1", "NCBIGene:11"), "the finding has two diseases"),
        (("HP:1000006", "OMIM:3", "NCBIGene:22"), "the disease has two genes"),
        (("HP:1000006", "OMIM:3", "HP:1000002"), "a finding that is known to be absent"),
        (("HP:1000001", "OMIM:1", "HP:0000006"), "inheritance is no answer"),
        (("HP:1000001", "OMIM:1", "OMIM:2"), "no relation between the last two"),
        (("HP:1000004", "HP:1000003", "OMIM:1"), "the broader finding has two diseases"),
        (("HP:1000002", "OMIM:1", "HP:1000003"), "a first hop to one of two diseases"),
    ],
)
def test_paths_that_make_no_honest_question(
    graph: KnowledgeGraph, validity: Validity, identifiers: tuple[str, ...], why: str
) -> None:
    assert not validity(_path(graph, *identifiers)), why


def test_long_names_hubs_and_both_splits_are_refused(graph: KnowledgeGraph, validity: Validity) -> None:
    chain = _path(graph, "HP:1000001", "OMIM:1", "NCBIGene:11", "OMIM:2")
    assert validity(chain)
    assert not Validity(graph, validity.splits, 2, 4, 12, 45)(chain)  # Beta syndrome has 13 characters
    assert not Validity(graph, validity.splits, 2, 4, 60, 12)(chain)
    torn = dict(validity.splits) | {"OMIM:2": "heldout"}
    assert not Validity(graph, torn, 2, 4, 60, 45)(chain)
    hubless = {key: side for key, side in validity.splits.items() if key != "OMIM:1"}
    assert not Validity(graph, hubless, 2, 4, 60, 45)(chain)


def test_may_extend_holds_for_every_prefix_of_every_valid_path(graph: KnowledgeGraph, validity: Validity) -> None:
    chosen = [each for each in graph.entities.values() if each.id.startswith(("OMIM", "NCBI", "HP:1"))]
    valid = [path for size in (3, 4) for path in permutations(chosen, size) if validity(path)]
    assert len(valid) >= 4
    for path in valid:
        assert all(validity.may_extend(path[:end]) for end in range(1, len(path) + 1))


def test_reach_is_the_length_of_the_longest_valid_path_through_an_entity(
    graph: KnowledgeGraph, validity: Validity
) -> None:
    assert validity.reach(graph.entities["HP:1000001"], 4) == 4
    assert validity.reach(graph.entities["NCBIGene:11"], 4) == 4
    assert validity.reach(graph.entities["NCBIGene:11"], 3) == 3
    assert validity.reach(graph.entities["HP:1000007"], 4) == 0


def test_next_relations_are_the_functional_ones(graph: KnowledgeGraph, validity: Validity) -> None:
    alpha = graph.entities["OMIM:1"]
    names = {relation.object.name for relation in validity.next_relations(alpha, (alpha,))}
    assert names == {"AAA1", "Blue sclera", "Tall stature", "Long fingers"}
    previous = {each.name for each in validity.previous_entities(alpha, (alpha,))}
    assert previous == {"Blue sclera"}


@pytest.mark.parametrize(
    ("other", "twins"),
    [
        (("OMIM:2", "Beta syndrome"), False),
        (("ORPHA:2", "Beta syndrome"), True),  # of another catalogue: may be the first by another name
        (("OMIM:2", "Alpha disease, type 1"), True),
    ],
)
def test_the_other_disease_of_a_gene_is_another_disease(other: tuple[str, str], twins: bool) -> None:
    before = [Entity("OMIM:1", "Alpha disease", "disease"), Entity("NCBIGene:11", "AAA1", "gene")]
    assert _are_twins(before, Entity(*other, "disease")) is twins
    assert not _are_twins(before[1:], Entity(*other, "disease"))
