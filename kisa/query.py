"""The formal question: steps on the graph, and their answers by exhaustive evaluation.

    Query((ids of anchors), ((predicate, constraint, value), ...))

The first step starts from all anchors at once (findings seen together); later ones from wherever the last one led. A
step never returns to an entity of its own path, which is what "the other disease" means. A constraint restricts
`has_finding` by the 6-tuple: ("organ_system", "skeletal") or ("frequency_class", "very rare").
"""

from collections import Counter
from collections.abc import Collection, Sequence

from kisa.graph import KnowledgeGraph
from medrl.types import Entity, Query, Relation

Step = tuple[str, str, str]
CONSTRAINTS = ("organ_system", "frequency_class")


def followers(graph: KnowledgeGraph, entity: Entity, step: Step, visited: Collection[str] = ()) -> set[str]:
    """Ids of the entities that `step` leads to from `entity`, without those in `visited`.

    A disease presents a finding when it is annotated with it or with a narrower one (HPO's true-path rule), and a
    finding belongs to every organ system above it.
    """
    predicate, constraint, value = step
    if predicate == "presents_in":
        found = set(graph.carriers.get(entity.id, ()))
    else:
        found = {
            relation.object.id
            for relation in graph.out(entity, predicate)
            if not constraint or _satisfies(graph, relation, constraint, value)
        }
    return found.difference(visited)


def _satisfies(graph: KnowledgeGraph, relation: Relation, constraint: str, value: str) -> bool:
    if constraint == "organ_system":
        return value in graph.facts[relation.object.id].systems
    return relation.clinical.get(constraint) == value


def answers(graph: KnowledgeGraph, query: Query) -> set[str]:
    """Ids of all entities that satisfy the formal question on the whole graph."""
    anchors, steps = query
    if not anchors or not steps:
        return set()
    starts = [graph.entities[identifier] for identifier in anchors]
    first = set.intersection(*(followers(graph, start, steps[0], anchors) for start in starts))
    paths = {(*anchors, identifier) for identifier in first}
    for step in steps[1:]:
        paths = {
            (*path, identifier)
            for path in paths
            for identifier in followers(graph, graph.entities[path[-1]], step, path)
        }
    return {path[-1] for path in paths}


def functional_steps(graph: KnowledgeGraph, relation: Relation, visited: Collection[str]) -> list[Step]:
    """The steps under which the relation's object is the only follower of its subject, given what was visited."""
    steps: list[Step] = [(relation.predicate, "", "")]
    if relation.predicate == "has_finding":
        system, band = relation.spatial.get("organ_system"), relation.clinical.get("frequency_class")
        steps = [("has_finding", key, value) for key, value in zip(CONSTRAINTS, (system, band), strict=True) if value]
    target = {relation.object.id}
    return [step for step in steps if followers(graph, relation.subject, step, visited) == target]


def functional_relations(graph: KnowledgeGraph, entity: Entity, visited: Collection[str]) -> list[Relation]:
    """The chain relations of `entity` with a functional step: medically valid next hops."""
    if entity.kind == "disease":
        return _only_ones(graph.out(entity, "caused_by"), visited) + _functional_findings(graph, entity, visited)
    if entity.kind == "gene":
        return _only_ones(graph.out(entity, "causes"), visited)
    if entity.kind != "phenotype":
        return []
    carriers = graph.carriers.get(entity.id, frozenset()).difference(visited)
    presented = _only_ones(graph.out(entity, "presents_in"), visited) if len(carriers) == 1 else []
    return presented + _only_ones(graph.out(entity, "is_a"), visited)


def _only_ones(relations: Sequence[Relation], visited: Collection[str]) -> list[Relation]:
    left = [relation for relation in relations if relation.object.id not in visited]
    return left if len(left) == 1 else []


def _functional_findings(graph: KnowledgeGraph, disease: Entity, visited: Collection[str]) -> list[Relation]:
    """Findings that are the only ones of their organ system or frequency class, counted in one pass."""
    left = [relation for relation in graph.out(disease, "has_finding") if relation.object.id not in visited]
    count: Counter[str] = Counter()
    for relation in left:
        count.update(graph.facts[relation.object.id].systems)
        count[relation.clinical.get("frequency_class", "")] += 1
    return [
        relation
        for relation in left
        if count[relation.spatial.get("organ_system", "")] == 1
        or ("frequency_class" in relation.clinical and count[relation.clinical["frequency_class"]] == 1)
    ]
