import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrl.agreement import krippendorff, resampled, spearman
from tests import oracles_preferences as oracle

scores = st.integers(0, 4).map(float)
units = st.lists(st.lists(scores, max_size=4), min_size=1, max_size=6)


@given(units, st.booleans())
def test_alpha_is_the_formula_pair_by_pair(rated: list[list[float]], nominal: bool) -> None:
    alpha = krippendorff(rated, nominal=nominal)
    values = {value for unit in rated if len(unit) > 1 for value in unit}
    if len(values) < 2:
        assert alpha is None
    else:
        assert alpha == pytest.approx(oracle.krippendorff(rated, nominal))


def test_alpha_of_perfect_opposite_and_chance_agreement() -> None:
    assert krippendorff([[1, 1], [5, 5], [9, 9]], nominal=False) == 1.0
    opposite = krippendorff([[0, 1], [1, 0]] * 50, nominal=True)
    assert opposite is not None and opposite < -0.9
    rng = np.random.default_rng(0)
    chance = krippendorff(rng.integers(0, 11, (2000, 2)).tolist(), nominal=False)
    assert chance == pytest.approx(0.0, abs=0.06)


@given(st.lists(st.tuples(scores, scores), min_size=2, max_size=12))
def test_rank_correlation_is_the_formula(pairs: list[tuple[float, float]]) -> None:
    found = spearman(pairs)
    if any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        assert found is None
    else:
        assert found == pytest.approx(oracle.spearman(*zip(*pairs, strict=True)))


def test_intervals_resample_questions_not_items() -> None:
    """A question that was rated a hundred times is still one question: the interval is as wide as three are."""
    groups = {f"q{n}": [(float(n + k % 2), float(n))] * 100 for n in range(3) for k in range(2)}
    rng = np.random.default_rng(1)
    found = resampled(groups, lambda values: float(np.mean([b for _, b in values])), rng=rng, n=2000)
    assert found is not None
    value, low, high = found
    assert (value, low, high) == (1.0, 0.0, 2.0) or (value == 1.0 and low < 0.4 and high > 1.6)
    assert resampled({"q": [(1.0, 1.0)]}, spearman, rng=rng, n=10) is None
