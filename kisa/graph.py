"""The knowledge graph: entities, 6-tuple relations and the lookups that questions are proved with.

Predicates, one for each pair of kinds, so that a path of entities fixes its relations:

    phenotype presents_in disease      disease has_finding phenotype     phenotype is_a phenotype
    disease caused_by gene             gene causes disease               phenotype affects organ_system
    disease inherited_as inheritance   disease has_onset onset
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import networkx as nx

from kisa.names import normalise
from kisa.sources.hpo import Term
from medrl.types import Entity, Relation

PREDICATES = ("presents_in", "has_finding", "is_a", "caused_by", "causes", "affects", "inherited_as", "has_onset")
#: The predicates a chain may use, by the kinds they join.
CHAIN_PREDICATES = {
    ("phenotype", "disease"): "presents_in",
    ("disease", "phenotype"): "has_finding",
    ("phenotype", "phenotype"): "is_a",
    ("disease", "gene"): "caused_by",
    ("gene", "disease"): "causes",
}


@dataclass(slots=True)
class Facts:
    """What is known of an entity beside its relations.

    `aliases`: other names. `merged`: ids of other catalogues that mean the same disease. `systems`: adjectives of the
    organ systems of a phenotype, nearest first. `absent`: findings that a disease is known not to show, each a relation
    "lacks" that is in no list of the graph; `clinical` has the frequency where patients were counted ("0/5").
    """

    aliases: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    absent: tuple[Relation, ...] = ()
    specialty: str = ""
    term: Term | None = None


@dataclass
class KnowledgeGraph:
    """Entities by id, relations by predicate and subject. Built once, then read only."""

    release: str
    entities: dict[str, Entity] = field(default_factory=dict)
    facts: dict[str, Facts] = field(default_factory=dict)
    relations: dict[str, dict[str, list[Relation]]] = field(
        default_factory=lambda: {predicate: defaultdict(list) for predicate in PREDICATES}
    )

    def add(self, relation: Relation) -> None:
        """Add an edge; one for each subject, predicate and object is the caller's duty."""
        self.relations[relation.predicate][relation.subject.id].append(relation)

    def out(self, entity: Entity, predicate: str) -> list[Relation]:
        """Relations that leave `entity` under `predicate`, in the source's order."""
        return self.relations[predicate].get(entity.id, [])

    def between(self, subject: Entity, target: Entity) -> Relation | None:
        """The chain relation from `subject` to `target`, or None."""
        predicate = CHAIN_PREDICATES.get((subject.kind, target.kind))
        if predicate is None:
            return None
        inverse = {"presents_in": "has_finding", "causes": "caused_by"}.get(predicate)
        if inverse and not any(each.object.id == subject.id for each in self.out(target, inverse)):
            return None  # a common finding has thousands of diseases, a disease only dozens of findings
        return next((each for each in self.out(subject, predicate) if each.object.id == target.id), None)

    def neighbours(self, entity: Entity) -> Iterator[Relation]:
        """Every relation that leaves `entity`."""
        for predicate in PREDICATES:
            yield from self.out(entity, predicate)

    def of_kind(self, kind: str) -> list[Entity]:
        return [entity for entity in self.entities.values() if entity.kind == kind]

    @cached_property
    def carriers(self) -> dict[str, frozenset[str]]:
        """Phenotype id -> ids of the diseases that show it, or a narrower finding (HPO's true-path rule)."""
        gathered: dict[str, set[str]] = defaultdict(set)
        above: dict[str, tuple[str, ...]] = {}
        for disease, relations in self.relations["has_finding"].items():
            for relation in relations:
                phenotype = relation.object
                if phenotype.id not in above:
                    above[phenotype.id] = tuple(self.ancestors(phenotype))
                gathered[phenotype.id].add(disease)
                for ancestor in above[phenotype.id]:
                    gathered[ancestor].add(disease)
        return {phenotype: frozenset(diseases) for phenotype, diseases in gathered.items()}

    @cached_property
    def lay_owners(self) -> Counter[str]:
        """Normalised everyday name -> how many findings it is used for."""
        terms = [facts.term for facts in self.facts.values() if facts.term is not None]
        return Counter(name for term in terms for name in {normalise(lay) for lay in term.lay})

    def ancestors(self, phenotype: Entity) -> set[str]:
        """Ids of all broader findings."""
        found: set[str] = set()
        pending = [phenotype]
        while pending:
            for relation in self.out(pending.pop(), "is_a"):
                if relation.object.id not in found:
                    found.add(relation.object.id)
                    pending.append(relation.object)
        return found

    def without_context(self) -> "KnowledgeGraph":
        """The same graph of plain triples: no relation says when, where or in whom it holds."""
        bare = {
            predicate: {
                subject: [replace(each, temporal={}, spatial={}, clinical={}) for each in relations]
                for subject, relations in by_subject.items()
            }
            for predicate, by_subject in self.relations.items()
        }
        return KnowledgeGraph(self.release, self.entities, self.facts, bare)

    def induced(self, entities: Iterable[Entity]) -> "nx.MultiDiGraph[Any]":
        """The subgraph on `entities`: nodes in the order given, an edge for each chain relation between them."""
        nodes = list(dict.fromkeys(entities))
        network: nx.MultiDiGraph[Any] = nx.MultiDiGraph()
        network.add_nodes_from(nodes)
        for subject in nodes:
            for target in nodes:
                relation = self.between(subject, target) if subject is not target else None
                if relation is not None:
                    network.add_edge(subject, target, key=relation.predicate, relation=relation)
        return network

    @cached_property
    def network(self) -> "nx.MultiDiGraph[Any]":
        """The whole graph for networkx: nodes are Entity, edges carry their Relation under `relation`."""
        network: nx.MultiDiGraph[Any] = nx.MultiDiGraph(release=self.release)
        network.add_nodes_from(self.entities.values())
        for by_subject in self.relations.values():
            for relations in by_subject.values():
                network.add_edges_from(
                    (each.subject, each.object, each.predicate, {"relation": each}) for each in relations
                )
        return network
