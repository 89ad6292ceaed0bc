"""Questions that begin with findings seen together: which set of common findings singles out one disease?"""

import random
from collections.abc import Sequence

from kisa.graph import KnowledgeGraph
from kisa.query import Step
from kisa.questions import Chain
from kisa.validity import Validity
from medrl.types import Entity, Relation

_FEWEST, _MOST = 4, 400
_TRIES = 30


def clue_findings(
    graph: KnowledgeGraph, disease: Entity, rng: random.Random, *, limit: int = 3
) -> tuple[Relation, ...]:
    """Two or three `presents_in` relations to `disease` whose findings no other disease shows together; () if none.

    None of them singles the disease out alone, and frequent findings are preferred.
    """
    options = [
        relation.object
        for relation in graph.out(disease, "has_finding")
        if _FEWEST <= len(graph.carriers[relation.object.id]) <= _MOST
        and relation.clinical.get("frequency_class") not in ("occasional", "very rare")
        and len(relation.object.name) <= 40
        and set(relation.object.name).isdisjoint(';:,()[]"')
    ]
    for size in range(2, limit + 1):
        for _ in range(_TRIES if len(options) >= size else 0):
            drawn = rng.sample(options, size)
            together = frozenset.intersection(*(graph.carriers[each.id] for each in drawn))
            related = any(each.id in graph.ancestors(other) for each in drawn for other in drawn)
            if together == {disease.id} and not related:
                relations = [graph.between(each, disease) for each in drawn]
                return tuple(relation for relation in relations if relation is not None)
    return ()


def with_clues(chain: Chain, clues: Sequence[Relation]) -> Chain:
    """`chain`, which starts at a disease, behind a first hop from the findings."""
    first: Step = ("presents_in", "", "")
    return Chain((clues[0], *chain.relations), (first, *chain.steps), tuple(clues[1:]))


def shows_no_clue(validity: Validity, chain: Chain) -> bool:
    """The rules that the first hop from findings must keep: no clue comes back later, no name gives another away."""
    entities = [relation.object for relation in chain.relations]
    findings = [relation.subject for relation in (chain.relations[0], *chain.clues)]
    return not any(each in findings for each in entities) and all(validity.admits(each) for each in entities)
