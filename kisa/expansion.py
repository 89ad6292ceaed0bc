"""Grow a subgraph from a rare seed (arXiv 2508.14880, KISA step 2).

e_{i+1} ~ Uniform(N(e_i)) with probability p, else Discover(new | e_i) through the medical retriever
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable

from envs.tools.base import Tool
from kisa.graph import KnowledgeGraph
from kisa.observations import read_hits
from kisa.validity import Validity
from medrl.types import Entity

_DISCOVERED = {"disease": "gene", "gene": "diseases", "phenotype": "seen in"}
Discover = Callable[[Entity], Awaitable[tuple[Entity, ...]]]


async def grow(
    seed: Entity, validity: Validity, discover: Discover, rng: random.Random, *, walks: int, uniform: float
) -> AsyncIterator[list[Entity]]:
    """Yield the entities reached from `seed`, seed first, after each of `walks` random walks of `max_hops` steps.

    Walks go onward from the seed and back from it by turns, so that what they reach lies on chains through it: one that
    turned round at random would seldom go far. `uniform`: probability of a known neighbour. `rng` belongs to this seed,
    so neither the order of seeds nor the number of workers changes the result. What the retriever names counts only if
    the graph links it.
    """
    reached: dict[Entity, None] = {seed: None}
    for number in range(walks):
        walk = [seed]
        while len(walk) <= validity.max_hops:
            found = await _next(walk, validity, discover, rng, uniform, onward=number % 2 == 0)
            if found is None:
                break
            walk.append(found)
            reached[found] = None
        yield list(reached)


async def _next(
    walk: list[Entity], validity: Validity, discover: Discover, rng: random.Random, uniform: float, *, onward: bool
) -> Entity | None:
    options: list[Entity] = []
    if rng.random() >= uniform:
        options = [each for each in await discover(walk[-1]) if each not in walk and validity.admits(each)]
    if not options:  # the retriever had nothing new to say, or was not asked
        if onward:
            options = [relation.object for relation in validity.next_relations(walk[-1], walk)]
        else:
            options = validity.previous_entities(walk[-1], walk)
    if not options:
        return None
    # A disease has one gene and dozens of findings: draw the kind first, or the gene would hardly ever be met.
    kind = rng.choice(sorted({option.kind for option in options}))
    return rng.choice([option for option in options if option.kind == kind])


class RetrieverDiscovery:
    """Discover(new | e): entities that the retriever's hits for e name and that the graph links with e."""

    def __init__(self, retriever: Tool, graph: KnowledgeGraph) -> None:
        self._retriever = retriever
        self._graph = graph
        self._known: dict[str, tuple[Entity, ...]] = {}

    async def __call__(self, entity: Entity) -> tuple[Entity, ...]:
        """Raises ToolOutage."""
        if entity.id not in self._known:
            result = await self._retriever.call({"query": discovery_query(entity)})
            hits = read_hits(result.text)
            named = {name for hit in hits for name in (hit.name, *(each for _, names in hit.lists for each in names))}
            linked = (relation.object for relation in self._graph.neighbours(entity))
            self._known[entity.id] = tuple(
                dict.fromkeys(each for each in linked if each.name in named or each.id in result.sources)
            )
        return self._known[entity.id]


def discovery_queries(graph: KnowledgeGraph) -> list[str]:
    """The queries that growth may ask: one for each entity that a chain may hold."""
    return list(dict.fromkeys(discovery_query(each) for each in graph.entities.values() if each.kind in _DISCOVERED))


def discovery_query(entity: Entity) -> str:
    """The query that asks for what is next to an entity; the same that a chain's most usual hop asks."""
    return f"{entity.name} {_DISCOVERED[entity.kind]}"
