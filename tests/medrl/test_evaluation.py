"""Estimates and intervals against closed forms, published values and enumeration."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrl.evaluation import bootstrap_mean, mcnemar, paired_difference, pass_at_k, sign_flip, wilson
from tests import oracles


@pytest.mark.parametrize(
    ("n", "c", "k"), [(n, c, k) for n in (1, 2, 5, 7) for c in range(n + 1) for k in range(1, n + 1)]
)
def test_pass_at_k_equals_enumeration(n: int, c: int, k: int) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(oracles.pass_at_k(n, c, k), abs=1e-12)


def test_pass_at_k_known_values() -> None:
    assert pass_at_k(10, 3, 1) == pytest.approx(0.3)
    assert pass_at_k(10, 3, 5) == pytest.approx(11 / 12)
    assert pass_at_k(200, 200, 100) == 1.0 and pass_at_k(200, 0, 100) == 0.0
    with pytest.raises(ValueError, match="k <= n"):
        pass_at_k(3, 1, 4)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_equals_published_values(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_is_symmetric_and_overlaps_where_the_paper_reports_a_gain() -> None:
    low, high = wilson(3, 10)
    assert wilson(7, 10) == pytest.approx((1 - high, 1 - low))
    assert wilson(10, 10)[1] == 1.0
    assert wilson(27, 50)[0] < wilson(25, 50)[1]  # 27.5 against 25.5 of 50
    with pytest.raises(ValueError, match="n >= 1"):
        wilson(0, 0)


def test_bootstrap_interval_has_the_width_of_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(2.0, 1.0, size=400)
    mean, low, high = bootstrap_mean(values.tolist(), rng=np.random.default_rng(1), n=4000)
    error = values.std() / 20
    assert mean == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.15 * error)
    assert bootstrap_mean([0.5, 0.5], rng=np.random.default_rng(0), n=10) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_mean([], rng=np.random.default_rng(0), n=10)


def test_bootstrap_repeats_with_its_seed_and_covers_its_resamples_in_chunks() -> None:
    values = np.arange(3000).tolist()
    first, second = (bootstrap_mean(values, rng=np.random.default_rng(5), n=1500) for _ in range(2))
    assert first == second and first[1] < first[0] < first[2]


def test_pairing_removes_the_spread_between_questions() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(100)
    a, b = (hard + 0.1 + 0.01 * rng.normal(size=100)).tolist(), hard.tolist()
    difference, low, high = paired_difference(a, b, rng=np.random.default_rng(2), n=2000)
    assert 0.09 < low < difference < high < 0.11
    with pytest.raises(ValueError, match="same questions"):
        paired_difference(a, b[1:], rng=rng, n=10)


def test_mcnemar_is_the_exact_binomial_test() -> None:
    a = [True] * 8 + [False] * 2 + [True] * 5
    b = [False] * 8 + [True] * 2 + [True] * 5
    assert mcnemar(a, b) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert mcnemar(a, a) == 1.0
    assert mcnemar([True] * 2000, [False] * 2000) == pytest.approx(0.0, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=8))
def test_sign_flip_counts_every_way_to_change_places(pairs: list[tuple[int, int]]) -> None:
    differences = [x - y for x, y in pairs]
    ways = list(product((-1, 1), repeat=len(pairs)))
    extreme = sum(
        abs(sum(sign * each for sign, each in zip(signs, differences, strict=True))) >= abs(sum(differences))
        for signs in ways
    )
    found = sign_flip([x / 4 for x, _ in pairs], [y / 4 for _, y in pairs], scale=4)
    assert found == pytest.approx(extreme / len(ways))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_of_one_sample_sign_flip_is_mcnemar(pairs: list[tuple[bool, bool]]) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    assert sign_flip(a, b, scale=1) == pytest.approx(mcnemar(a, b))


def test_sign_flip_refuses_what_it_cannot_count() -> None:
    with pytest.raises(ValueError, match="same questions"):
        sign_flip([1.0], [], scale=1)
    with pytest.raises(ValueError, match="times 2 are not whole"):
        sign_flip([1 / 3], [0.0], scale=2)
