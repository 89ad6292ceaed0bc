"""Training and held-out questions share no disease and no gene.

Diseases and genes that are linked belong to one component, and a component goes to one side by its hash. A disease
with many genes ties everything together; it is a hub, never stands on a chain, and so is left out here.
"""

from collections import defaultdict
from collections.abc import Iterable

from kisa.graph import KnowledgeGraph
from medrl.seeds import derive_seed
from medrl.types import Entity, Question, Split

#: A disease with more genes than this is a hub.
MAX_GENES = 3
#: A component with more than this share of the diseases trains, whatever its hash.
_LARGE = 0.05


def components(graph: KnowledgeGraph) -> dict[str, str]:
    """Disease or gene id -> the least id of its component; hubs are absent."""
    parent: dict[str, str] = {}

    def root(identifier: str) -> str:
        while parent[identifier] != identifier:
            parent[identifier] = parent[parent[identifier]]
            identifier = parent[identifier]
        return identifier

    for entity in (*graph.of_kind("disease"), *graph.of_kind("gene")):
        if not is_hub(graph, entity):
            parent[entity.id] = entity.id
    for gene in graph.of_kind("gene"):
        for relation in graph.out(gene, "causes"):
            if relation.object.id in parent:
                a, b = sorted((root(gene.id), root(relation.object.id)))
                parent[b] = a
    return {identifier: root(identifier) for identifier in parent}


def is_hub(graph: KnowledgeGraph, entity: Entity) -> bool:
    """Whether a disease is too broad to stand on a chain."""
    return entity.kind == "disease" and len(graph.out(entity, "caused_by")) > MAX_GENES


def assign_splits(graph: KnowledgeGraph, heldout_fraction: float, seed: int) -> dict[str, Split]:
    """Disease or gene id -> split; ids of hubs are absent."""
    component = components(graph)
    sizes: dict[str, int] = defaultdict(int)
    for identifier, label in component.items():
        sizes[label] += graph.entities[identifier].kind == "disease"
    limit = max(_LARGE * sum(sizes.values()), 10)
    split: dict[str, Split] = {}
    for label, size in sizes.items():
        draw = derive_seed(seed, "split", label) / 2**31
        split[label] = "heldout" if draw < heldout_fraction and size <= limit else "train"
    return {identifier: split[label] for identifier, label in component.items()}


def shared_entities(train: Iterable[Question], heldout: Iterable[Question]) -> set[str]:
    """Ids of diseases and genes that occur in both; empty when the split is clean."""

    def named(questions: Iterable[Question]) -> set[str]:
        return {
            entity.id
            for question in questions
            for relation in (*question.relations, *question.clues)
            for entity in (relation.subject, relation.object)
            if entity.kind in ("disease", "gene")
        }

    return named(train) & named(heldout)
