from dataclasses import replace

import networkx as nx

from kisa.graph import KnowledgeGraph
from kisa.splits import assign_splits, components, shared_entities
from medrl.types import Relation
from tests.fakes import question


def test_components_are_those_of_networkx(graph: KnowledgeGraph) -> None:
    network: nx.Graph[str] = nx.Graph()
    for gene in graph.of_kind("gene"):
        network.add_edges_from((gene.id, each.object.id) for each in graph.out(gene, "causes"))
    network.add_nodes_from(each.id for each in graph.of_kind("disease"))
    by_label: dict[str, set[str]] = {}
    for identifier, label in components(graph).items():
        by_label.setdefault(label, set()).add(identifier)
    assert sorted(map(sorted, by_label.values())) == sorted(map(sorted, nx.connected_components(network)))


def test_a_component_stays_together_and_the_seed_decides(graph: KnowledgeGraph) -> None:
    seen = set()
    for seed in range(30):
        splits = assign_splits(graph, 0.5, seed)
        assert splits == assign_splits(graph, 0.5, seed)
        assert splits["OMIM:1"] == splits["NCBIGene:11"] == splits["OMIM:2"]
        assert splits["OMIM:3"] == splits["NCBIGene:22"] == splits["NCBIGene:33"]
        seen.add((splits["OMIM:1"], splits["OMIM:3"]))
    assert len(seen) == 4
    assert set(assign_splits(graph, 0.0, 1).values()) == {"train"}
    assert set(assign_splits(graph, 1.0, 1).values()) == {"heldout"}


def test_shared_entities_finds_diseases_and_genes_but_not_findings(graph: KnowledgeGraph) -> None:
    alpha, murmur = graph.entities["OMIM:1"], graph.entities["HP:1000005"]
    gene, beta = graph.entities["NCBIGene:11"], graph.entities["OMIM:2"]
    one = question(relations=(Relation(alpha, "caused_by", gene),))
    two = question(relations=(Relation(murmur, "presents_in", beta),))
    assert shared_entities([one], [two]) == set()
    three = replace(two, clues=(Relation(murmur, "presents_in", alpha),))
    assert shared_entities([one], [three]) == {"OMIM:1"}
    assert shared_entities([one], [one]) == {"OMIM:1", "NCBIGene:11"}
