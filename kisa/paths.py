"""The longest valid path, P* = argmax Length(p) subject to MedicallyValid(p) (arXiv 2508.14880, KISA step 3)."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import networkx as nx

Node = TypeVar("Node", bound=Hashable)


@dataclass(frozen=True, slots=True)
class PathResult(Generic[Node]):
    """`path`: nodes from anchor to answer, () if no path is valid. `length`: its edges.

    `bound`: no valid path has more edges. Above `length` when the budget ran out before the search was over.
    """

    path: tuple[Node, ...]
    length: int
    bound: int

    @property
    def optimal(self) -> bool:
        """Whether no valid path is longer."""
        return self.bound == self.length


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
    waiting = [start for start in (graph.nodes if starts is None else starts) if start in graph][::-1]
    while waiting:
        stack: list[tuple[Node, ...]] = [(waiting.pop(),)]
        while stack:
            if spent == budget:
                open_paths = [*stack, *((start,) for start in waiting)]
                farthest = max(_farthest(graph, path) for path in open_paths)
                return PathResult(best, _edges(best), max(_edges(best), min(farthest, ceiling)))
            path = stack.pop()
            spent += 1
            if may_extend is not None and not may_extend(path):
                continue
            if len(path) > max(len(best), 1) and is_valid(path):
                best = path
                if _edges(path) == ceiling:
                    return PathResult(best, ceiling, ceiling)
            if len(path) <= ceiling:
                onward = [(*path, node) for node in graph.adj[path[-1]] if node not in path]
                stack += reversed(onward)
    return PathResult(best, _edges(best), _edges(best))


def _edges(path: tuple[Node, ...]) -> int:
    return max(len(path) - 1, 0)


def _farthest(graph: "nx.Graph[Any]", path: tuple[Node, ...]) -> int:
    """Edges that a path which begins with `path` has at most: it cannot come to more nodes than its end leads to."""
    reached = set(path)
    pending = [path[-1]]
    while pending:
        new = [node for node in graph.adj[pending.pop()] if node not in reached]
        reached.update(new)
        pending += new
    return len(reached) - 1
