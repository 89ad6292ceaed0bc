"""Reciprocal rank fusion against its formula."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from envs.retrieval.fusion import reciprocal_ranks

RANKINGS = st.lists(st.lists(st.integers(0, 12), unique=True, max_size=8), max_size=4)


@given(RANKINGS, st.integers(0, 20))
def test_the_sum_of_reciprocal_places_decides(rankings: list[list[int]], count: int) -> None:
    def score(row: int) -> Fraction:
        return sum((Fraction(1, 61 + ranking.index(row)) for ranking in rankings if row in ranking), Fraction(0))

    fused = reciprocal_ranks(rankings, count)
    everything = {row for ranking in rankings for row in ranking}
    assert len(fused) == len(set(fused)) == min(count, len(everything)) and set(fused) <= everything
    assert all(score(one) >= score(other) - Fraction(1, 10**12) for one, other in pairwise(fused))
    left_out = max((score(row) for row in everything - set(fused)), default=Fraction(0))
    assert not fused or score(fused[-1]) >= left_out - Fraction(1, 10**12)


def test_what_two_rankings_have_goes_before_what_one_has_first() -> None:
    assert reciprocal_ranks([[1, 2, 3], [4, 3]], 4) == [3, 1, 4, 2]
