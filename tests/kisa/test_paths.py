import random
from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kisa.paths import longest_valid_path
from tests.oracles_kisa import longest_length


def _random_graph(seed: int, nodes: int, density: float) -> "nx.DiGraph[int]":
    rng = random.Random(seed)
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(nodes))
    pairs = [(a, b) for a in range(nodes) for b in range(nodes) if a != b and rng.random() < density]
    graph.add_edges_from(pairs)
    return graph


@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([0.2, 0.5, 0.9]), st.integers(2, 5))
def test_length_is_that_of_brute_force(seed: int, nodes: int, density: float, modulus: int) -> None:
    graph = _random_graph(seed, nodes, density)

    def is_valid(path: tuple[int, ...]) -> bool:  # not prefix-closed on purpose
        return len(path) > 1 and sum(path) % modulus != 1

    result = longest_valid_path(graph, is_valid, budget=100_000)
    assert result.optimal
    assert result.length == longest_length(graph, is_valid) == max(len(result.path) - 1, 0)
    if result.path:
        assert is_valid(result.path)
        assert len(set(result.path)) == len(result.path)
        assert all(graph.has_edge(a, b) for a, b in pairwise(result.path))


def test_a_thousand_random_graphs() -> None:
    """Directed and undirected, sparse and dense, with rules that keep to prefixes and rules that do not."""
    for seed in range(1000):
        rng = random.Random(seed)
        graph = _random_graph(seed, rng.randint(1, 7), rng.choice((0.15, 0.3, 0.5)))
        modulus, colours = rng.randint(2, 6), rng.randint(1, 3)

        def is_valid(path: tuple[int, ...], modulus: int = modulus, colours: int = colours) -> bool:
            typed = all((left + right) % colours != 1 for left, right in pairwise(path))
            return len(path) > 1 and typed and sum(path) % modulus != 1

        result = longest_valid_path(graph, is_valid, budget=1_000_000)
        assert result.optimal and result.length == longest_length(graph, is_valid), seed


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 60))
def test_no_valid_path_is_longer_than_the_bound(seed: int, nodes: int, budget: int) -> None:
    graph = _random_graph(seed, nodes, 0.5)

    def is_valid(path: tuple[int, ...]) -> bool:
        return len(path) > 1 and sum(path) % 3 != 1

    result = longest_valid_path(graph, is_valid, budget=budget)
    assert result.length <= longest_length(graph, is_valid) <= result.bound <= max(nodes - 1, 0)
    assert longest_valid_path(graph, is_valid, budget=budget, max_length=2).bound <= 2


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_pruning_by_a_prefix_closed_rule_changes_nothing(seed: int, nodes: int) -> None:
    graph = _random_graph(seed, nodes, 0.6)

    def is_valid(path: tuple[int, ...]) -> bool:
        return all(abs(a - b) < 3 for a, b in pairwise(path))

    pruned = longest_valid_path(graph, is_valid, budget=100_000, may_extend=is_valid)
    assert pruned == longest_valid_path(graph, is_valid, budget=100_000)


def test_a_short_budget_is_admitted() -> None:
    graph = nx.complete_graph(6, create_using=nx.DiGraph)
    full = longest_valid_path(graph, lambda path: True, budget=10_000)
    assert (full.length, full.optimal) == (5, True)
    hard = longest_valid_path(graph, lambda path: len(path) < 4, budget=20)
    assert not hard.optimal and hard.bound == 5
    assert hard.length == len(hard.path) - 1 <= 2
    with pytest.raises(ValueError, match="budget=0"):
        longest_valid_path(graph, lambda path: True, budget=0)


def test_starts_and_max_length_restrict_the_search() -> None:
    graph: nx.DiGraph[str] = nx.DiGraph([("a", "b"), ("b", "c"), ("c", "d"), ("x", "a")])
    assert longest_valid_path(graph, lambda path: True, budget=99).path == ("x", "a", "b", "c", "d")
    assert longest_valid_path(graph, lambda path: True, budget=99, starts=["b"]).path == ("b", "c", "d")
    assert longest_valid_path(graph, lambda path: True, budget=99, starts=["a"], max_length=2).path == ("a", "b", "c")
    assert longest_valid_path(graph, lambda path: True, budget=99, starts=["nowhere"]).path == ()


def test_nothing_valid_is_an_empty_path() -> None:
    graph: nx.DiGraph[str] = nx.DiGraph([("a", "b")])
    result = longest_valid_path(graph, lambda path: False, budget=99)
    assert (result.path, result.length, result.optimal) == ((), 0, True)
