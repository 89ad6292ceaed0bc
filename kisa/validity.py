"""MedicallyValid(p): which paths of the graph make an honest question.

Every rule but the last three also holds for each prefix of a valid path, so a search may stop where one fails.

    directed        each step is a relation of the graph, in its direction
    simple          no entity twice: D -> gene -> the same D is no step
    not invertible  neighbours on the path do not merely rename each other ("Noonan syndrome" -> "Noonan syndrome 1")
    no twin         two diseases of one gene are of one catalogue: Orphanet's is often OMIM's by another name
    no shortcut     entities that do not follow each other on the path are not linked
    no hub          no finding of hundreds of diseases, no disease of many genes
    functional      given the step and the path so far, the next entity is the only one
    one split       diseases and genes are all for training or all held out
    length          within the bounds
    answer          a gene, disease or finding; inheritance and onset could be guessed
    no giveaway     the answer's name is not nearly the anchor's
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from kisa.graph import KnowledgeGraph
from kisa.names import alike, normalise
from kisa.query import SHOWS, Step, functional_relations, functional_steps
from kisa.splits import assign_splits, is_hub
from medrl.sections.kisa import KisaConfig
from medrl.types import Entity, Relation, Split

#: A finding that more diseases present is a hub.
MAX_CARRIERS = 300
#: Ways back to look at from one entity: a finding may have many diseases.
_MOST_BACKWARD = 60
_ANSWERS = ("gene", "disease", "phenotype")


@dataclass(frozen=True)
class Validity:
    """The rules for one run. `splits`: disease or gene id -> split. `narrow`: see `query.functional_steps`."""

    graph: KnowledgeGraph
    splits: Mapping[str, Split]
    min_hops: int
    max_hops: int
    name_characters: int
    answer_characters: int
    narrow: bool = False
    named: Counter[str] = field(default_factory=Counter, repr=False)

    def __post_init__(self) -> None:
        if not self.named:  # how many entities bear a name
            self.named.update(normalise(each.name) for each in self.graph.entities.values() if each.kind in _ANSWERS)

    def with_hops(self, min_hops: int, max_hops: int) -> "Validity":
        """The same rules with other bounds on the length."""
        return replace(self, min_hops=min_hops, max_hops=max_hops)

    def start_split(self, entity: Entity) -> Split | None:
        """The side a seed belongs to; None if no chain can begin there."""
        if not self.admits(entity):
            return None
        if entity.kind != "phenotype":
            return self.splits.get(entity.id)
        sides = {self.splits.get(each) for each in self.graph.carriers.get(entity.id, frozenset())}
        return sides.pop() if len(sides) == 1 else None

    def admits(self, entity: Entity) -> bool:
        """Whether an entity may stand on a path at all: no hub, and a name that is short, plain and its own."""
        if entity.kind not in _ANSWERS or is_hub(self.graph, entity):
            return False
        if entity.kind == "phenotype":
            if len(self.graph.carriers.get(entity.id, ())) > MAX_CARRIERS or not self.graph.out(entity, "presents_in"):
                return False
        elif entity.id not in self.splits:
            return False
        plain = not set(entity.name) & set(';:()[]"')
        return plain and len(entity.name) <= self.name_characters and self.named[normalise(entity.name)] == 1

    def next_relations(self, entity: Entity, visited: Sequence[Entity]) -> list[Relation]:
        """N(e): relations over which a chain could go on from `entity`, looking at this hop alone."""
        identifiers = {each.id for each in visited} | {entity.id}
        return [
            relation
            for relation in functional_relations(self.graph, entity, identifiers, narrow=self.narrow)
            if self.admits(relation.object) and not alike(entity.name, relation.object.name)
        ]

    def steps(self, relation: Relation, before: Sequence[Entity]) -> list[Step]:
        """The formal steps that a hop may be, after `before`."""
        steps = functional_steps(self.graph, relation, {each.id for each in before}, narrow=self.narrow)
        return [step for step in steps if step[1] != SHOWS or self._may_be_named(step[2], relation.object)]

    def _may_be_named(self, finding: str, disease: Entity) -> bool:
        entity = self.graph.entities[finding]
        return self.admits(entity) and not alike(entity.name, disease.name)

    def may_extend(self, path: tuple[Entity, ...]) -> bool:
        """Whether `path` could be the beginning of a valid path, given that all but its last step is."""
        last, before = path[-1], path[:-1]
        if len(path) - 1 > self.max_hops or last in before or not self.admits(last):
            return False
        if not before:
            return True
        relation = self.graph.between(before[-1], last)
        if relation is None or alike(before[-1].name, last.name):
            return False
        if any(self._linked(each, last) for each in before[:-1]) or _are_twins(before, last):
            return False
        if len({self.splits[each.id] for each in path if each.id in self.splits}) > 1:
            return False
        return bool(self.steps(relation, before))

    def completes(self, path: tuple[Entity, ...]) -> bool:
        """The rules on a whole path that its prefixes need not keep: its length, its answer, no giveaway."""
        if not self.min_hops <= len(path) - 1 <= self.max_hops:
            return False
        anchor, answer = path[0], path[-1]
        if answer.kind not in _ANSWERS or len(answer.name) > self.answer_characters or alike(anchor.name, answer.name):
            return False
        return any(each.id in self.splits for each in path)

    def __call__(self, path: tuple[Entity, ...]) -> bool:
        """MedicallyValid: all rules, for a complete path from anchor to answer."""
        return self.completes(path) and all(self.may_extend(path[: end + 1]) for end in range(len(path)))

    def previous_entities(self, entity: Entity, visited: Sequence[Entity]) -> list[Entity]:
        """Entities from which `entity` is a functional hop, so that a chain could come from there."""
        predicates = {"disease": ("has_finding", "caused_by"), "gene": ("causes",), "phenotype": ("presents_in",)}
        found: list[Entity] = []
        for predicate in predicates[entity.kind]:
            relations = self.graph.out(entity, predicate)
            for other in (relation.object for relation in relations[:_MOST_BACKWARD]):
                if other in visited or not self.admits(other) or alike(entity.name, other.name):
                    continue
                relation = self.graph.between(other, entity)
                if relation is not None and self.steps(relation, [other]):
                    found.append(other)
        return found

    def reach(self, entity: Entity, limit: int) -> int:
        """Length of the longest valid path on the whole graph through `entity`, or `limit` if that is less.

        Tells at once, without the retriever, whether a seed can give a chain; 0 if it cannot. Ways back from the seed
        are followed only where each hop is functional by itself.
        """
        best = 0
        beginnings: list[tuple[Entity, ...]] = [(entity,)] if self.admits(entity) else []
        while beginnings and best < limit:
            best = max((self._forward(path, limit, best) for path in beginnings), default=best)
            beginnings = [
                (other, *path)
                for path in beginnings
                if len(path) <= limit
                for other in self.previous_entities(path[0], path)
                if all(self.may_extend((other, *path)[: end + 1]) for end in range(len(path) + 1))
            ]
        return best

    def _forward(self, path: tuple[Entity, ...], limit: int, best: int) -> int:
        if len(path) - 1 > best and self.completes(path):
            best = len(path) - 1
        if len(path) - 1 < limit:
            for relation in self.next_relations(path[-1], path):
                if best < limit and self.may_extend((*path, relation.object)):
                    best = self._forward((*path, relation.object), limit, best)
        return best

    def _linked(self, left: Entity, right: Entity) -> bool:
        return self.graph.between(left, right) is not None or self.graph.between(right, left) is not None


def _are_twins(before: Sequence[Entity], last: Entity) -> bool:
    """Whether `last` may be the same disease as the one that its gene was reached from."""
    if len(before) < 2 or last.kind != "disease" or before[-1].kind != "gene" or before[-2].kind != "disease":
        return False
    catalogues = {each.id.partition(":")[0] for each in (before[-2], last)}
    return len(catalogues) > 1 or alike(before[-2].name, last.name)


def rules(graph: KnowledgeGraph, config: KisaConfig, seed: int) -> Validity:
    """The rules of a run."""
    return Validity(
        graph,
        assign_splits(graph, config.heldout_fraction, seed),
        config.min_hops,
        config.max_hops,
        config.name_characters,
        config.answer_characters,
        config.branches,
    )
