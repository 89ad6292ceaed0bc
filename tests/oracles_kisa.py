"""Slow, plain versions of kisa's searches, straight from their definitions."""

from collections.abc import Callable, Iterator
from itertools import pairwise, permutations
from typing import Any

import networkx as nx

from kisa.graph import KnowledgeGraph
from medrl.types import Query


def simple_paths(graph: "nx.Graph[Any]") -> Iterator[tuple[Any, ...]]:
    """Every simple path: all orders of all subsets of nodes that follow edges."""
    nodes = list(graph.nodes)
    for size in range(1, len(nodes) + 1):
        for path in permutations(nodes, size):
            if all(graph.has_edge(left, right) for left, right in pairwise(path)):
                yield path


def longest_length(graph: "nx.Graph[Any]", is_valid: Callable[[tuple[Any, ...]], bool]) -> int:
    """max Length(p) over valid simple paths with an edge; 0 if there is none."""
    return max((len(path) - 1 for path in simple_paths(graph) if len(path) > 1 and is_valid(path)), default=0)


def answers_by_enumeration(graph: KnowledgeGraph, query: Query) -> set[str]:
    """Try every tuple of entities as the path of a formal question with one anchor."""
    (anchor,), steps = query
    found = set()
    for rest in permutations(graph.entities, len(steps)):
        path = (anchor, *rest)
        if anchor not in rest and all(_holds(graph, *path[i : i + 2], steps[i]) for i in range(len(steps))):
            found.add(path[-1])
    return found


def _holds(graph: KnowledgeGraph, subject: str, target: str, step: tuple[str, str, str]) -> bool:
    predicate, constraint, value = step
    if constraint == "shows" and not _holds(graph, value, target, ("presents_in", "", "")):
        return False
    if predicate == "presents_in":  # annotated with the finding or with one below it
        below = {subject}
        while True:
            more = {
                each.subject.id
                for relations in graph.relations["is_a"].values()
                for each in relations
                if each.object.id in below
            }
            if more <= below:
                break
            below |= more
        return any(
            each.object.id == target for finding in below for each in graph.out(graph.entities[finding], predicate)
        )
    for each in graph.out(graph.entities[subject], predicate):
        if each.object.id == target:
            if constraint == "organ_system":
                systems = {each.object.name for each in graph.out(graph.entities[target], "affects")}
                return f"{value} system" in systems
            return constraint in ("", "shows") or each.clinical.get(constraint) == value
    return False
