"""Chains for tests, along entities given by id."""

import random

from kisa.graph import KnowledgeGraph
from kisa.query import functional_steps
from kisa.questions import Chain, chains_along


def chain_along(graph: KnowledgeGraph, *identifiers: str, rng: random.Random, narrow: bool = False) -> Chain:
    path = [graph.entities[each] for each in identifiers]
    return chains_along(
        graph,
        path,
        rng,
        lambda relation, before: functional_steps(graph, relation, {each.id for each in before}, narrow=narrow),
    )[0]
