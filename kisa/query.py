"""The formal question: steps on the graph, and their answers by exhaustive evaluation.

    Query((ids of anchors), ((predicate, constraint, value), ...))

The first step starts from all anchors at once (findings seen together); later ones from wherever the last one led. A
step never returns to an entity of its own path, which is what "the other disease" means. A constraint restricts
`has_finding` by the 6-tuple, ("organ_system", "skeletal") or ("frequency_class", "very rare"), and a step to a disease
by a finding that it shows as well, ("shows", "HP:0001083"): then the question is a tree, and its answer lies where the
branches meet.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from kisa.graph import KnowledgeGraph
from medrl.types import Entity, Query, Relation

Step = tuple[str, str, str]
CONSTRAINTS = ("organ_system", "frequency_class")
SHOWS = "shows"
#: Diseases of a finding, at most, for a list of them to be read: a document shows so many names in one section.
MOST_LISTED = 8
#: Findings that a step to a disease is narrowed by, looked at.
_MOST_CLUES = 6


def followers(graph: KnowledgeGraph, entity: Entity, step: Step, visited: Collection[str] = ()) -> set[str]:
    """Ids of the entities that `step` leads to from `entity`, without those in `visited`.

    A disease presents a finding when it is annotated with it or with a narrower one (HPO's true-path rule), and a
    finding belongs to every organ system above it.
    """
    predicate, constraint, value = step
    if predicate == "presents_in":
        found = set(graph.carriers.get(entity.id, ()))
    elif constraint == SHOWS:
        found = {relation.object.id for relation in graph.out(entity, predicate)}
    else:
        found = {
            relation.object.id
            for relation in graph.out(entity, predicate)
            if not constraint or _satisfies(graph, relation, constraint, value)
        }
    if constraint == SHOWS:
        found &= graph.carriers.get(value, frozenset())
    return found.difference(visited)


def _satisfies(graph: KnowledgeGraph, relation: Relation, constraint: str, value: str) -> bool:
    if constraint == "organ_system":
        return value in graph.facts[relation.object.id].systems
    return relation.clinical.get(constraint) == value


def answers(graph: KnowledgeGraph, query: Query) -> set[str]:
    """Ids of all entities that satisfy the formal question on the whole graph."""
    return set(_satisfying(graph, query))


def has_other_answer(graph: KnowledgeGraph, query: Query, answer: str) -> bool:
    """Whether anything but `answer` satisfies the formal question; stops at the first that does."""
    return any(each != answer for each in _satisfying(graph, query))


def _satisfying(graph: KnowledgeGraph, query: Query) -> Iterator[str]:
    """Yield the ends of all paths, depth first; one that several paths lead to comes several times."""
    anchors, steps = query
    if not anchors or not steps:
        return
    starts = [graph.entities[identifier] for identifier in anchors]
    first = set.intersection(*(followers(graph, start, steps[0], anchors) for start in starts))
    pending = [(*anchors, identifier) for identifier in first]
    while pending:
        path = pending.pop()
        done = len(path) - len(anchors)
        if done == len(steps):
            yield path[-1]
        else:
            onward = followers(graph, graph.entities[path[-1]], steps[done], path)
            pending += [(*path, identifier) for identifier in onward]


def functional_steps(
    graph: KnowledgeGraph, relation: Relation, visited: Collection[str], *, narrow: bool = False
) -> list[Step]:
    """The steps under which the relation's object is the only follower of its subject, given what was visited.

    `narrow`: a step to a disease may be narrowed by a finding. It is only where it needs to be, so every clue is
    necessary.
    """
    plain: Step = (relation.predicate, "", "")
    steps = [plain]
    if relation.predicate == "has_finding":
        system, band = relation.spatial.get("organ_system"), relation.clinical.get("frequency_class")
        steps = [("has_finding", key, value) for key, value in zip(CONSTRAINTS, (system, band), strict=True) if value]
    target = {relation.object.id}
    found = [step for step in steps if followers(graph, relation.subject, step, visited) == target]
    if narrow and not found and relation.object.kind == "disease":
        return _narrowed(graph, relation, visited)
    return found


def _narrowed(graph: KnowledgeGraph, relation: Relation, visited: Collection[str]) -> list[Step]:
    """Steps to a disease that a further finding makes the only one: not the finding alone, nor the step alone."""
    if not is_listed(graph, relation.subject, relation.predicate):
        return []
    target = relation.object.id
    rivals = followers(graph, relation.subject, (relation.predicate, "", ""), visited) - {target}
    steps: list[Step] = []
    for finding in (each.object for each in graph.out(relation.object, "has_finding")):
        carriers = graph.carriers[finding.id]
        if (
            len(carriers) > 1
            and rivals.isdisjoint(carriers)
            and finding.id not in visited
            and finding is not relation.subject
        ):
            if is_listed(graph, finding, "presents_in") and target in carriers:
                steps.append((relation.predicate, SHOWS, finding.id))
            if len(steps) == _MOST_CLUES:
                break
    return steps


def is_listed(graph: KnowledgeGraph, entity: Entity, predicate: str) -> bool:
    """Whether the entity's document lists all that `predicate` leads to, and nothing else leads there."""
    if predicate == "presents_in" and len(graph.carriers.get(entity.id, ())) != len(graph.out(entity, predicate)):
        return False  # a narrower finding has diseases that are not in the list
    return len(graph.out(entity, predicate)) <= MOST_LISTED


def functional_relations(
    graph: KnowledgeGraph, entity: Entity, visited: Collection[str], *, narrow: bool = False
) -> list[Relation]:
    """The chain relations of `entity` with a functional step: medically valid next hops."""
    if entity.kind == "disease":
        return _only_ones(graph.out(entity, "caused_by"), visited) + _functional_findings(graph, entity, visited)
    predicate = {"gene": "causes", "phenotype": "presents_in"}.get(entity.kind)
    if predicate is None:
        return []
    to_diseases = graph.out(entity, predicate)
    if narrow and len(to_diseases) <= MOST_LISTED:
        found = [each for each in to_diseases if each.object.id not in visited]
        found = [each for each in found if functional_steps(graph, each, visited, narrow=True)]
    elif entity.kind == "gene" or len(graph.carriers.get(entity.id, frozenset()).difference(visited)) == 1:
        found = _only_ones(to_diseases, visited)
    else:
        found = []
    return found + _only_ones(graph.out(entity, "is_a"), visited)


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
