"""The closure of is_a: against a recursive definition, and cycles refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.hierarchy import Rows, ancestors, flat, turned
from medrl.errors import DataError


@st.composite
def hierarchies(draw: st.DrawFn) -> list[list[int]]:
    """Parents of each; the numbers are shuffled, so that a parent may come later."""
    count = draw(st.integers(1, 12))
    order = draw(st.permutations(range(count)))
    parents: list[list[int]] = [[] for _ in range(count)]
    for place, number in enumerate(order):
        if place:
            parents[number] = sorted(draw(st.sets(st.sampled_from(order[:place]), max_size=3)))
    return parents


@given(parents=hierarchies())
def test_closure(parents: list[list[int]]) -> None:
    def above(number: int) -> set[int]:
        return {up for parent in parents[number] for up in (parent, *above(parent))}

    found = ancestors(parents)
    assert found == [sorted(above(number)) for number in range(len(parents))]
    below = turned(found)
    assert all(
        (one in below[other]) == (other in found[one]) for one in range(len(parents)) for other in range(len(parents))
    )
    rows = Rows(*flat(found))
    assert [rows[number].tolist() for number in range(len(parents))] == found


def test_cycles_are_refused() -> None:
    with pytest.raises(DataError, match="a kind of itself"):
        ancestors([[1], [2], [1]])
    with pytest.raises(DataError, match="a kind of itself"):
        ancestors([[0]])
