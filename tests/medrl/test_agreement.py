import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrl.agreement import krippendorff, resampled, spearman, spearman_within
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


def test_a_severe_rater_and_a_mild_one_who_rank_alike_agree() -> None:
    mild, severe = (
        [("mild", 8.0 + n, 0.1 * n) for n in range(3)],
        [("severe", 1.0 + n, 1.0 + 0.1 * n) for n in range(3)],
    )
    assert spearman_within(mild + severe) == pytest.approx(1.0)
    assert (spearman([each[1:] for each in mild + severe]) or 0.0) < 0.0  # taken together they would seem to disagree
    contrary = [("contrary", float(n), -float(n)) for n in range(6)]
    assert spearman_within(mild + contrary) == pytest.approx((3 * 1.0 + 6 * -1.0) / 9)
    assert spearman_within([("once", 3.0, 1.0), *mild]) == pytest.approx(1.0)
    assert spearman_within([("once", 3.0, 1.0)]) is None


def test_intervals_resample_questions_not_items() -> None:
    """A question that was rated a hundred times is still one question: the interval is as wide as three are."""
    rng = np.random.default_rng(1)
    found = resampled({f"q{n}": [float(n)] * 100 for n in range(3)}, lambda v: float(np.mean(v)), rng=rng, n=2000)
    assert found == (1.0, 0.0, 2.0)  # all three the same: 1 resample in 27, more than the 2.5% on either side
    wide = resampled({str(n): [float(n)] for n in range(300)}, lambda v: float(np.mean(v)), rng=rng, n=2000)
    assert wide is not None
    assert (wide[2] - wide[1]) / 2 == pytest.approx(1.96 * np.std(range(300)) / np.sqrt(300), rel=0.1)
    assert resampled({"q": [(1.0, 1.0)]}, spearman, rng=rng, n=10) is None
    # Of one question all resamples are the same; an interval without width would pretend that it is known.
    assert resampled({"q": [(1.0, 1.0), (2.0, 3.0)]}, spearman, rng=rng, n=10) is None
