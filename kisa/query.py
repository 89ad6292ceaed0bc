"""The formal question: steps on the graph, and their answers by exhaustive evaluation.

    Query((ids of anchors), ((predicate, constraint, value), ...))

The first step starts from all anchors at once (findings seen together); later ones from wherever the last one led. A
step never returns to an entity of its own path, which is what "the other disease" means. A constraint restricts
`has_finding` by the 6-tuple: ("organ_system", "skeletal") or ("frequency_class", "very rare").
"""

from collections.abc import Collection

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
    found: list[Relation] = []
    if entity.kind == "phenotype":
        carriers = followers(graph, entity, ("presents_in", "", ""), visited)
        if len(carriers) == 1:
            found += [each for each in graph.out(entity, "presents_in") if each.object.id in carriers]
        found += [each for each in graph.out(entity, "is_a") if functional_steps(graph, each, visited)]
    elif entity.kind == "disease":
        for predicate in ("caused_by", "has_finding"):
            found += [each for each in graph.out(entity, predicate) if functional_steps(graph, each, visited)]
    elif entity.kind == "gene":
        found += [each for each in graph.out(entity, "causes") if functional_steps(graph, each, visited)]
    return [relation for relation in found if relation.object.id not in visited]
