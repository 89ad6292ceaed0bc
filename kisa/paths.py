"""The longest valid path, P* = argmax Length(p) subject to MedicallyValid(p) (arXiv 2508.14880, KISA step 3)."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import networkx as nx

Node = TypeVar("Node", bound=Hashable)


@dataclass(frozen=True, slots=True)
class PathResult(Generic[Node]):
    """`path`: nodes from anchor to answer, () if no path is valid. `length`: its edges.

    `optimal`: no valid path is longer. False when the budget ran out before that was known.
    """

    path: tuple[Node, ...]
    length: int
    optimal: bool


def longest_valid_path(
    graph: "nx.Graph[Any]",
    is_valid: Callable[[tuple[Node, ...]], bool],
    *,
    budget: int,
    may_extend: Callable[[tuple[Node, ...]], bool] | None = None,
    starts: Iterable[Node] | None = None,
    max_length: int | None = None,
) -> PathResult[Node]:
    """Search all simple paths of `graph` exactly, in the order of its nodes and edges; ties go to the first found.

    `is_valid` judges a whole path. `may_extend`, if given, must be True for every prefix of every valid path: where it
    is False the search turns back. `starts` restricts the first node. `max_length` bounds the edges from above, so a
    path of that length ends the search. `budget` bounds the paths looked at. Raises ValueError if it is below 1.
    """
    if budget < 1:
        raise ValueError(f"budget={budget}: a search needs at least 1 step")
    nodes = graph.number_of_nodes()
    ceiling = nodes - 1 if max_length is None else min(max_length, nodes - 1)
    best: tuple[Node, ...] = ()
    spent = 0
    for start in list(graph.nodes) if starts is None else starts:
        if start not in graph:
            continue
        stack: list[tuple[Node, ...]] = [(start,)]
        while stack:
            path = stack.pop()
            if spent == budget:
                return PathResult(best, max(len(best) - 1, 0), optimal=False)
            spent += 1
            if may_extend is not None and not may_extend(path):
                continue
            if len(path) > max(len(best), 1) and is_valid(path):
                best = path
                if len(path) - 1 == ceiling:
                    return PathResult(best, ceiling, optimal=True)
            if len(path) <= ceiling:
                onward = [(*path, node) for node in graph.adj[path[-1]] if node not in path]
                stack += reversed(onward)
    return PathResult(best, max(len(best) - 1, 0), optimal=True)
