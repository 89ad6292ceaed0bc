import itertools
import math
from collections import Counter
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrl.replication import Cell, Estimate, against, alone, estimate, holm, seeds_needed

P_VALUES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6)


def t_density(x: float, df: int) -> float:
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    return scale * (1 + x * x / df) ** (-(df + 1) / 2)


def t_beyond(x: float, df: int) -> float:
    """P(|T| > x), by Simpson's rule over the density between -x and x."""
    pieces = 2000
    width = 2 * x / pieces
    total = t_density(-x, df) + t_density(x, df)
    for index in range(1, pieces):
        total += (4 if index % 2 else 2) * t_density(-x + index * width, df)
    return 1 - total * width / 3


def every_resample(cells: list[list[float]]) -> Counter[float]:
    """The bootstrap's distribution in full: every choice of seeds, and of each one's questions, equally likely."""
    found: Counter[float] = Counter()
    seeds = len(cells)
    per_seed = [[fmean(drawn) for drawn in itertools.product(values, repeat=len(values))] for values in cells]
    for chosen in itertools.product(range(seeds), repeat=seeds):
        for drawn in itertools.product(*(per_seed[seed] for seed in chosen)):
            found[round(fmean(drawn), 9)] += 1
    return found


def test_the_bootstrap_is_that_of_every_resample() -> None:
    cells = [[0.0, 1.0], [1.0, 3.0], [5.0, 5.0]]
    exact = every_resample(cells)
    total = exact.total()
    got = estimate([alone(values) for values in cells], rng=np.random.default_rng(0), n=200_000)
    ordered = sorted(exact)
    running = list(itertools.accumulate(exact[value] for value in ordered))
    low = next(value for value, below in zip(ordered, running, strict=True) if below >= 0.025 * total)
    high = next(value for value, below in zip(ordered, running, strict=True) if below >= 0.975 * total)
    assert got.bootstrap == pytest.approx((low, high), abs=0.17 / 1)  # a step of the lattice is 1/6
    assert got.mean == pytest.approx(fmean(fmean(values) for values in cells))


def test_the_t_interval_and_its_p_by_integration() -> None:
    means = [0.12, 0.05, 0.31, 0.2]
    got = estimate([alone([mean]) for mean in means], rng=np.random.default_rng(0), n=500)
    assert got.t is not None and got.used == "t"
    error = stdev(means) / 2
    reach = (got.t[1] - got.mean) / error
    assert t_beyond(reach, 3) == pytest.approx(0.05, abs=1e-6)
    assert got.t[0] == pytest.approx(2 * got.mean - got.t[1])
    assert got.p == pytest.approx(t_beyond(fmean(means) / error, 3), abs=1e-6)


def test_pairs_remove_what_both_have_in_common() -> None:
    rng = np.random.default_rng(0)
    hard = rng.uniform(size=200)
    after, before = (hard + 0.05).tolist(), hard.tolist()
    paired = estimate([against(after, before, paired=True)], rng=rng, n=500)
    apart = estimate([against(after, before, paired=False)], rng=rng, n=500)
    assert paired.mean == pytest.approx(0.05) == pytest.approx(apart.mean)
    assert paired.interval == pytest.approx((0.05, 0.05))
    assert apart.interval[0] < 0 < apart.interval[1]
    with pytest.raises(ValueError, match="same questions"):
        against([1.0], [1.0, 0.0], paired=True)


def test_seeds_that_agree_by_chance_leave_the_spread_of_the_questions() -> None:
    cell = alone([0.0, 1.0] * 10)
    got = estimate([cell] * 3, rng=np.random.default_rng(0), n=2000)
    assert got.t == (0.5, 0.5) and got.used == "bootstrap"
    assert got.interval[0] < 0.4 < 0.6 < got.interval[1]
    assert got.spread == pytest.approx(stdev([0.0, 1.0] * 10) / math.sqrt(20))


def test_one_seed_has_no_t_interval() -> None:
    got = estimate([alone([0.0, 1.0, 1.0])], rng=np.random.default_rng(0), n=100)
    assert got.t is None and got.spread is None and got.used == "bootstrap"


@pytest.mark.parametrize("cells", [[], [()], [alone([])], [alone([1.0]), alone([])]])
def test_nothing_to_estimate_from_is_refused(cells: list[Cell]) -> None:
    with pytest.raises(ValueError, match="seeds"):
        estimate(cells, rng=np.random.default_rng(0), n=10)


def simulate(seeds: int, questions: int, between: float, draws: int, effect: float = 0.1) -> list[Estimate]:
    """Paired differences of two settings with `seeds` seeds: a question's is one of two samples that passed or not, a
    seed's own effect is normal around `effect`."""
    rng = np.random.default_rng(7)
    found = []
    for _ in range(draws):
        cells = []
        for shift in rng.normal(effect, between, size=seeds):
            skill = rng.uniform(0.2, 0.6, size=questions)
            before = rng.binomial(2, skill) / 2
            after = rng.binomial(2, np.clip(skill + shift, 0, 1)) / 2
            cells.append(against(after.tolist(), before.tolist(), paired=True))
        found.append(estimate(cells, rng=rng, n=400))
    return found


def coverage(intervals: list[tuple[float, float]], truth: float) -> float:
    return fmean(low <= truth <= high for low, high in intervals)


@pytest.mark.parametrize(("seeds", "between"), [(3, 0.0), (3, 0.05), (3, 0.12), (5, 0.08), (10, 0.08)])
def test_intervals_hold_the_truth_as_often_as_they_say(seeds: int, between: float) -> None:
    found = simulate(seeds, questions=40, between=between, draws=600)
    held = coverage([each.interval for each in found], 0.1)
    print(f"{seeds} seeds, sd between them {between}: {held:.3f} of intervals hold the truth")
    assert held >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / 600)
    assert fmean(each.interval[1] - each.interval[0] for each in found) < 1.2  # and are no excuse


def test_neither_interval_would_do_alone() -> None:
    """Why the wider one is used: the bootstrap misses seeds, and t alone is at times narrower than questions allow."""
    far_apart = simulate(3, questions=40, between=0.12, draws=600)
    assert coverage([each.bootstrap for each in far_apart], 0.1) < 0.9
    alike = simulate(3, questions=40, between=0.0, draws=600)
    assert fmean(each.used == "bootstrap" for each in alike) > 0.05


def test_p_values_are_rarely_small_where_there_is_nothing() -> None:
    found = simulate(3, questions=40, between=0.05, draws=600, effect=0.0)
    assert fmean(each.p < 0.05 for each in found) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 600)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(P_VALUES)
def test_holm_refuses_what_the_procedure_refuses(p_values: list[float]) -> None:
    """Step down from the smallest, against 5% over the number left, until one is not below."""
    refused = set()
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda each: p_values[each])):
        if p_values[index] * (len(p_values) - rank) > 0.05:
            break
        refused.add(index)
    adjusted = holm(p_values)
    assert {index for index, p in enumerate(adjusted) if p <= 0.05} == refused
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))


def test_seeds_needed_find_the_difference_four_times_in_five() -> None:
    """Simulated: t tests with that many seeds."""
    seeds = seeds_needed(0.1, 0.12)
    assert seeds is not None
    rng = np.random.default_rng(0)
    found = 0
    for draw in rng.normal(0.1, 0.12, size=(4000, seeds)):
        statistic = abs(draw.mean()) * math.sqrt(seeds) / draw.std(ddof=1)
        found += t_beyond(float(statistic), seeds - 1) < 0.05 if statistic < 5 else 1
    assert 0.78 <= found / 4000 <= 0.86
    assert seeds_needed(0.0, 0.1) is None
    assert seeds_needed(0.001, 0.5) is None
