"""What ratings teach, and what they cannot teach."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrl.preferences import (
    FEATURE_VERSION,
    FEATURES,
    LOWER,
    PRIOR,
    PRIOR_PRECISION,
    RUBRIC,
    UPPER,
    Comparison,
    LearntExpert,
    _loss,
    features,
    fit,
    held_out,
)
from medrl.rewards import rubric_expert, score
from medrl.sections.episodes import RewardConfig
from medrl.types import Rollout
from tests import oracles_preferences as oracle
from tests.medrl.episodes import FIND_DISEASE, FIND_GENE, NO_CHAIN, TWO_HOPS, episode, final, search
from tests.medrl.test_gaming import ATTACKS, HONEST_RIGHT, HONEST_WRONG, LUCKY

unit = st.floats(0.0, 1.0, allow_subnormal=False)
vectors = st.lists(unit, min_size=len(FEATURES), max_size=len(FEATURES)).map(np.array)
comparison = st.builds(
    Comparison,
    st.sampled_from(["q1", "q2", "q3"]),
    vectors,
    vectors,
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([0.25, 1.0]),
)


def plain(pairs: list[Comparison]) -> list[tuple[list[float], list[float], float, float]]:
    return [(p.first.tolist(), p.second.tolist(), p.outcome, p.weight) for p in pairs]


def loss(weights: np.ndarray, pairs: list[Comparison]) -> tuple[float, np.ndarray, np.ndarray]:
    return _loss(
        weights,
        np.array([p.first - p.second for p in pairs]).reshape(-1, len(FEATURES)),
        np.array([p.outcome for p in pairs]),
        np.array([p.weight for p in pairs]),
    )


def raters(weights: np.ndarray, n: int, seed: int) -> list[Comparison]:
    """Verdicts drawn from a Bradley–Terry model of known weights."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(n):
        first, second = rng.integers(0, 5, (2, len(FEATURES))) / 4.0
        won = rng.random() < 1.0 / (1.0 + np.exp(-weights @ (first - second)))
        found.append(Comparison(f"q{index // 4}", first, second, float(won)))
    return found


@given(st.lists(comparison, max_size=6), st.lists(st.floats(-3, 3), min_size=8, max_size=8))
def test_loss_and_gradient_are_the_formulas(pairs: list[Comparison], weights: list[float]) -> None:
    value, gradient, hessian = loss(np.array(weights), pairs)
    expected, slopes = oracle.loss(weights, plain(pairs), PRIOR.tolist(), PRIOR_PRECISION)
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert gradient == pytest.approx(slopes, rel=1e-9, abs=1e-9)
    for j in range(len(FEATURES)):  # the Hessian's columns, from the oracle's gradient on both sides
        aside = [[w + sign * 1e-5 * (i == j) for i, w in enumerate(weights)] for sign in (1.0, -1.0)]
        up, down = (oracle.loss(each, plain(pairs), PRIOR.tolist(), PRIOR_PRECISION)[1] for each in aside)
        assert hessian[:, j] == pytest.approx((np.array(up) - down) / 2e-5, rel=1e-5, abs=1e-5)


@given(st.lists(comparison, max_size=12))
def test_the_fit_is_the_minimum_within_the_bounds(pairs: list[Comparison]) -> None:
    """By the Karush–Kuhn–Tucker conditions, with the oracle's gradient; the loss is convex, so they are enough."""
    weights = np.array(fit(pairs).weights)
    assert (weights >= LOWER).all() and (weights <= UPPER).all()
    _, slopes = oracle.loss(weights.tolist(), plain(pairs), PRIOR.tolist(), PRIOR_PRECISION)
    for weight, slope, low, high in zip(weights, slopes, LOWER, UPPER, strict=True):
        assert abs(slope) < 1e-6 or (weight == low and slope > 0.0) or (weight == high and slope < 0.0)


def test_the_fit_holds_where_verdicts_are_one_sided_and_many() -> None:
    """Separable data would send weights without a prior to infinity."""
    best, worst = np.array([1.0] * 4 + [0.0] * 4), np.array([0.0] * 4 + [1.0] * 4)
    for outcome in (1.0, 0.0):
        weights = np.array(fit([Comparison("q", best, worst, outcome)] * 100_000).weights)
        assert np.isfinite(weights).all()
        assert (weights > PRIOR)[:4].all() == (outcome == 1.0)
    assert weights == pytest.approx(np.array([*LOWER[:4], 0, 0, 0, 0]))


def test_raters_of_known_weights_are_recovered() -> None:
    truth = np.array([3.0, 0.4, 2.0, 1.5, -1.0, -2.0, 0.0, -1.5])
    learnt = fit(raters(truth, 20_000, seed=1))
    assert np.abs(np.array(learnt.weights) - truth).max() < 0.15
    assert np.abs(PRIOR - truth).max() > 1.0  # which the rubric does not hold
    assert fit(raters(truth, 20_000, seed=1)).weights == learnt.weights


@given(st.lists(comparison, max_size=5), vectors)
def test_with_a_handful_of_verdicts_it_stays_near_the_rubric(pairs: list[Comparison], found: np.ndarray) -> None:
    """Each moves a weight by a tenth at most, whatever it says: |Δw| ≤ 0.5 each for five."""
    learnt = fit(pairs)
    assert np.abs(np.array(learnt.weights) - PRIOR).max() <= 0.1 * len(pairs) + 1e-9
    assert learnt.rate(found) == pytest.approx(RUBRIC.rate(found), abs=0.35)
    if not pairs:
        assert learnt.rate(found) == RUBRIC.rate(found)


@given(vectors, vectors, st.lists(comparison, max_size=8))
def test_ratings_are_in_range_and_keep_the_order(one: np.ndarray, other: np.ndarray, pairs: list[Comparison]) -> None:
    learnt = fit(pairs)
    assert 0.0 <= learnt.rate(one) <= 1.0
    margin = float(np.array(learnt.weights) @ (one - other))
    if abs(margin) > 1e-9:
        assert (learnt.rate(one) > learnt.rate(other)) == (margin > 0.0)
    assert learnt.rate(np.array([1.0] * 4 + [0.0] * 4)) == 1.0
    assert learnt.rate(np.array([0.0] * 4 + [1.0] * 4)) == 0.0


EPISODES = {**ATTACKS, **LUCKY, "honest right": HONEST_RIGHT, "honest wrong": HONEST_WRONG}


@pytest.mark.parametrize("name", EPISODES)
def test_untaught_it_is_the_rubric(name: str) -> None:
    assert fit([])(TWO_HOPS, EPISODES[name]) == pytest.approx(rubric_expert(TWO_HOPS, EPISODES[name]), abs=1e-15)


def test_untaught_it_is_the_rubric_without_a_chain_too() -> None:
    for last in (final("FBN1", "per ncbi:2200"), final("FBN1", "ncbi:2200, PMID:5"), final("FBN2")):
        rollout = episode(FIND_DISEASE, FIND_GENE, last, question=NO_CHAIN)
        assert RUBRIC(NO_CHAIN, rollout) == pytest.approx(rubric_expert(NO_CHAIN, rollout), abs=1e-15)


def test_features_of_known_episodes() -> None:
    """When this changes, ratings in files mean something else: raise FEATURE_VERSION."""
    assert FEATURE_VERSION == 1
    assert FEATURES == ("supported", "chain", "cited", "correct", "mistakes", "repeats", "late", "irrelevant")
    assert features(TWO_HOPS, HONEST_RIGHT).tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert features(TWO_HOPS, HONEST_WRONG).tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert features(TWO_HOPS, LUCKY["calls after the answer"]).tolist() == [1, 1, 1, 1, 0, 0, 0.75, 0]
    assert features(TWO_HOPS, LUCKY["a citation of anything"]).tolist() == [1, 1, 0.25, 1, 0, 0, 0, 0]
    messy = episode(
        search("weather", "It rains.", "w1"),
        search("x", "no such argument", mistake=True),
        FIND_DISEASE,
        FIND_DISEASE,
        FIND_GENE,
        final("FBN1"),
    )
    assert features(TWO_HOPS, messy).tolist() == [1, 1, 0, 1, 0.25, 0.25, 0, 0.25]


def perverse() -> dict[str, LearntExpert]:
    """Experts taught by raters who want what must not pay, a thousand verdicts each, and by fair ones."""
    better = [features(TWO_HOPS, LUCKY[name]) for name in LUCKY]
    honest = [features(TWO_HOPS, each) for each in (HONEST_RIGHT, HONEST_WRONG)]
    tricks_win = [Comparison("q", trick, each, 1.0) for trick in better for each in honest] * 40
    wrong_wins = [Comparison("q", honest[1], honest[0], 1.0)] * 1000
    waste_wins = [
        Comparison("q", np.array([0.0] * 4 + [float(i == j) for i in range(4)]), np.zeros(8), 1.0) for j in range(4)
    ] * 250
    idle_wins = [
        Comparison("q", np.zeros(8), np.array([1.0] * 3 + [0.0] + [float(i == j) for i in range(4)]), 1.0)
        for j in range(4)
    ] * 250
    fair = raters(np.array([3.0, 0.4, 2.0, 1.5, -1.0, -2.0, 0.0, -1.5]), 1000, seed=2)
    return {
        name: fit(pairs)
        for name, pairs in {
            "tricks win": tricks_win,
            "wrong wins": wrong_wins,
            "waste wins": waste_wins,
            "idle wins": idle_wins,
            "fair": fair,
        }.items()
    }


EXPERTS = perverse()


def total(expert: LearntExpert, rollout: Rollout) -> float:
    return score(TWO_HOPS, rollout, RewardConfig(), expert=expert).total


@pytest.mark.parametrize("taught", EXPERTS)
def test_no_rating_can_make_tricks_pay(taught: str) -> None:
    expert = EXPERTS[taught]
    right, wrong = total(expert, HONEST_RIGHT), total(expert, HONEST_WRONG)
    assert all(total(expert, each) <= wrong < right for each in ATTACKS.values())
    assert all(wrong < total(expert, each) < right for each in LUCKY.values())
    for each in LUCKY.values():
        *steps, last = each.steps
        turned = replace(last, text=last.text.replace("<answer>FBN1", "<answer>FBN2"))
        assert total(expert, episode(*steps, turned)) <= wrong


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("taught", EXPERTS)
def test_doing_nothing_is_never_better_than_the_work_with_one_slip(taught: str, kind: int) -> None:
    slip = np.array([1.0] * 3 + [0.0] * 5)
    slip[4 + kind] = 0.25
    assert EXPERTS[taught].rate(slip) >= EXPERTS[taught].rate(np.zeros(8)) - 1e-12


@pytest.mark.parametrize("taught", EXPERTS)
def test_more_calls_longer_text_and_more_citations_never_pay(taught: str) -> None:
    """Through r_expert alone, whatever r_efficiency takes off beside it."""
    expert = EXPERTS[taught]
    honest = expert(TWO_HOPS, HONEST_RIGHT)
    thought = "per ncbi:2200, Marfan syndrome is caused by FBN1"
    longer = episode(FIND_DISEASE, FIND_GENE, final("FBN1", thought + " and so on" * 5000))
    assert expert(TWO_HOPS, longer) <= honest
    known = "Marfan syndrome. Caused by variants in FBN1."
    for extra in range(1, 12):
        calls = [search(f"Marfan syndrome {n}", f"{known} Page {n}.", f"d{n}") for n in range(extra)]
        assert expert(TWO_HOPS, episode(FIND_DISEASE, FIND_GENE, *calls, final("FBN1", thought))) <= honest
        sources = "".join(f", PMID:{n}" for n in range(extra))
        assert expert(TWO_HOPS, episode(FIND_DISEASE, FIND_GENE, final("FBN1", thought + sources))) < honest


def test_the_raters_concern_does_matter() -> None:
    """Who dislikes repeats teaches so; the rubric does not see them."""
    again = episode(FIND_DISEASE, FIND_DISEASE, FIND_GENE, HONEST_RIGHT.steps[-1])
    assert RUBRIC(TWO_HOPS, again) == RUBRIC(TWO_HOPS, HONEST_RIGHT) == 1.0
    taught = fit([Comparison("q", features(TWO_HOPS, HONEST_RIGHT), features(TWO_HOPS, again), 1.0)] * 400)
    assert taught(TWO_HOPS, again) < 0.9
    assert taught(TWO_HOPS, HONEST_RIGHT) == 1.0


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_accuracy_is_on_questions_that_were_held_out(seed: int) -> None:
    """Raters who toss a coin teach nothing that can be foretold, however well their own verdicts are fitted."""
    rng = np.random.default_rng(seed)
    first, second = (rng.integers(0, 5, (400, 8)) / 4.0 for _ in range(2))
    pairs = [
        Comparison(f"q{n // 4}", a, b, float(rng.random() < 0.5))
        for n, (a, b) in enumerate(zip(first, second, strict=True))
    ]
    found = held_out(pairs, seed=1, resamples=200)
    assert found is not None and found.questions == 100
    assert found.learnt[0] == pytest.approx(0.5, abs=0.12)
    assert found.learnt[1] <= found.learnt[0] <= found.learnt[2]


def test_what_raters_want_is_foretold_better_than_by_the_rubric() -> None:
    pairs = raters(np.array([0.5, 0.3, 0.2, 6.0, 0.0, -6.0, 0.0, 0.0]), 800, seed=3)
    found = held_out(pairs, seed=1, resamples=1000)
    assert found is not None
    assert found.learnt[1] > found.rubric[2]
    assert found.difference[1] > 0.0
    assert found.difference[0] == pytest.approx(found.learnt[0] - found.rubric[0])


def test_one_question_alone_holds_nothing_out() -> None:
    assert held_out([Comparison("q", np.ones(8), np.zeros(8), 1.0)] * 9, seed=1, resamples=10) is None
    ties = [Comparison(f"q{n}", np.ones(8), np.zeros(8), 0.5) for n in range(9)]
    assert held_out(ties, seed=1, resamples=10) is None
