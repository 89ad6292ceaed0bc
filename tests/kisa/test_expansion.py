import asyncio
import random
from collections import Counter

from kisa.expansion import Discover, RetrieverDiscovery, discovery_query, grow
from kisa.graph import KnowledgeGraph
from kisa.splits import assign_splits
from kisa.validity import Validity
from medrl.types import Entity
from tests.kisa.library import Library


def _validity(graph: KnowledgeGraph) -> Validity:
    return Validity(graph, assign_splits(graph, 0.0, 0), 2, 4, 60, 45)


async def _nothing(entity: Entity) -> tuple[Entity, ...]:
    return ()


def _grown(
    graph: KnowledgeGraph, seed: int, uniform: float, discover: Discover = _nothing, walks: int = 3
) -> list[str]:
    async def last() -> list[Entity]:
        rng = random.Random(seed)
        entity = graph.entities["HP:1000001"]
        growing = grow(entity, _validity(graph), discover, rng, walks=walks, uniform=uniform)
        return [reached async for reached in growing][-1]

    return [entity.id for entity in asyncio.run(last())]


def test_growth_depends_on_its_own_seed_alone(graph: KnowledgeGraph) -> None:
    assert _grown(graph, 5, 0.5) == _grown(graph, 5, 0.5)
    assert len({tuple(_grown(graph, seed, 0.5, walks=1)) for seed in range(20)}) > 1


def test_with_probability_one_the_retriever_is_never_asked(graph: KnowledgeGraph) -> None:
    asked: Counter[str] = Counter()

    async def discover(entity: Entity) -> tuple[Entity, ...]:
        asked[entity.id] += 1
        return ()

    for seed in range(10):
        assert _grown(graph, seed, 1.0, discover)[0] == "HP:1000001"
    assert not asked
    _grown(graph, 0, 0.0, discover)
    assert asked["HP:1000001"] == 3  # each walk starts with a question


def test_discovery_goes_through_the_retriever_and_keeps_what_the_graph_links(graph: KnowledgeGraph) -> None:
    tool = Library("medical_retriever", graph)
    discover = RetrieverDiscovery(tool, graph)
    alpha = graph.entities["OMIM:1"]
    found = asyncio.run(discover(alpha))
    assert {entity.id for entity in found} == {"NCBIGene:11"}
    assert asyncio.run(discover(alpha)) == found
    assert tool.calls == [{"query": discovery_query(alpha)}]  # asked once, remembered


def test_only_neighbours_by_graph_enter(graph: KnowledgeGraph) -> None:
    reached = _grown(graph, 1, 0.5, RetrieverDiscovery(Library("medical_retriever", graph), graph), walks=6)
    linked = graph.network.to_undirected()
    entities = [graph.entities[identifier] for identifier in reached]
    assert len(entities) > 2
    for position, entity in enumerate(entities[1:], start=1):
        assert any(linked.has_edge(entity, other) for other in entities[:position])
