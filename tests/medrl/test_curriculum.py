"""The curriculum: floors, epochs, direction, memory and resumption."""

import json
import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrl.curriculum import Curriculum, spread
from medrl.errors import ConfigError, DataError
from medrl.sections.learning import CurriculumConfig
from medrl.types import Question, Relation, Reward, RolloutGroup
from tests import oracles
from tests.medrl.episodes import FBN1, MARFAN, TWO_HOPS, episode, final

CONFIG = CurriculumConfig(target=0.5, decay=0.9, floor=0.1)


def questions(per_stratum: int, strata: tuple[int, ...] = (1, 2, 3)) -> list[Question]:
    return [replace(TWO_HOPS, id=f"{hops}-{i}", hops=hops) for hops in strata for i in range(per_stratum)]


def group(question: Question, passed: int, total: int = 8) -> RolloutGroup:
    rollouts = tuple(episode(final("FBN1"), question=question, sample=i) for i in range(total))
    for i, rollout in enumerate(rollouts):
        task = float(i < passed)
        rollout.reward = Reward(total=0.9, task=task, expert=1.0, efficiency=0.0)
    return RolloutGroup(question, rollouts)


@pytest.mark.parametrize(("a", "b", "target"), [(2, 2, 0.5), (3, 5, 0.5), (8, 2, 0.3), (1.5, 6, 0.7)])
def test_spread_equals_numerical_integration(a: float, b: float, target: float) -> None:
    assert spread(a, b, target) == pytest.approx(oracles.beta_expectation(a, b, target), rel=1e-3)


def test_spread_peaks_at_the_target() -> None:
    for target in (0.3, 0.5, 0.7):
        values = {p: spread(1000 * p, 1000 * (1 - p), target) for p in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)}
        assert max(values, key=lambda p: values[p]) == target


@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 3, 4]), st.integers(0, 80)), max_size=30),
    st.floats(0, 0.25),
    st.floats(0, 1),
)
def test_shares_sum_to_one_and_keep_their_floor(seen: list[tuple[int, int]], floor: float, target: float) -> None:
    curriculum = Curriculum([1, 2, 3, 4], CurriculumConfig(floor=floor, target=target))
    for hops, passed in seen:
        curriculum.observe_stratum(hops, passed, 80)
    shares = curriculum.shares()
    assert sum(shares.values()) == pytest.approx(1.0)
    assert min(shares.values()) >= floor - 1e-12


@pytest.mark.contract("13 curriculum", "starts easy, moves to harder strata")
def test_it_starts_easy_and_moves_to_harder_strata_as_easy_ones_are_solved() -> None:
    curriculum = Curriculum([1, 2, 3], CONFIG)
    start = curriculum.shares()
    assert start[1] > start[2] > start[3]
    peaks = []
    for rates in ({1: 0.6, 2: 0.1, 3: 0.0}, {1: 0.95, 2: 0.5, 3: 0.05}, {1: 1.0, 2: 0.95, 3: 0.5}):
        for _ in range(15):
            for hops, rate in rates.items():
                curriculum.observe_stratum(hops, round(80 * rate), 80)
        shares = curriculum.shares()
        peaks.append(max(shares, key=lambda hops: shares[hops]))
    assert peaks == [1, 2, 3]


def test_old_evidence_fades() -> None:
    curriculum = Curriculum([1], CONFIG)
    for _ in range(50):
        curriculum.observe_stratum(1, 0, 80)
    for _ in range(22):  # 0.9 ** 22 < 0.1
        curriculum.observe_stratum(1, 80, 80)
    assert curriculum.pass_rates()[1] > 0.88


@pytest.mark.contract("13 curriculum", "looks at the task term alone")
def test_only_the_task_term_counts() -> None:
    curriculum = Curriculum([2], CONFIG)
    curriculum.observe([group(TWO_HOPS, passed=0, total=400)])  # each with a total of 0.9
    assert curriculum.pass_rates()[2] < 0.01


def test_an_outage_says_nothing_about_a_question() -> None:
    curriculum = Curriculum([2], CONFIG)
    curriculum.observe([group(TWO_HOPS, passed=8)])
    before = curriculum.state()
    curriculum.observe([RolloutGroup(TWO_HOPS, ())])
    assert curriculum.state() == before


def test_a_group_without_reward_is_refused() -> None:
    with pytest.raises(ValueError, match="no reward"):
        Curriculum([2], CONFIG).observe([RolloutGroup(TWO_HOPS, (episode(final("FBN1")),))])


@pytest.mark.contract("13 curriculum", "no question twice in an epoch")
def test_every_question_is_drawn_once_before_any_is_drawn_twice() -> None:
    pool = questions(30)
    curriculum, rng = Curriculum([1, 2, 3], CONFIG), random.Random(0)
    drawn: dict[int, list[str]] = {1: [], 2: [], 3: []}
    for _ in range(40):
        for question in curriculum.sample(rng, pool, 10):
            drawn[question.hops].append(question.id)
    for ids in drawn.values():
        assert len(ids) > 30
        assert len(set(ids[:30])) == 30


def test_a_batch_holds_no_question_twice_while_there_are_others() -> None:
    pool = questions(4)
    curriculum, rng = Curriculum([1, 2, 3], CONFIG), random.Random(1)
    for _ in range(30):
        assert len({question.id for question in curriculum.sample(rng, pool, 12)}) == 12
    assert Counter(question.id for question in curriculum.sample(rng, pool, 24)) == {q.id: 2 for q in pool}
    assert curriculum.sample(rng, pool, 0) == []


def test_counts_follow_the_shares() -> None:
    pool = questions(400)
    curriculum, rng = Curriculum([1, 2, 3], CONFIG), random.Random(2)
    shares = curriculum.shares()
    for _ in range(20):
        counts = Counter(question.hops for question in curriculum.sample(rng, pool, 10))
        assert all(abs(counts[hops] - 10 * share) < 1.0 for hops, share in shares.items())


def test_questions_always_or_never_solved_are_drawn_less_but_not_starved() -> None:
    pool = questions(30, strata=(2,))
    curriculum, rng = Curriculum([2], CONFIG), random.Random(3)
    rates = {question.id: (0, 4, 8)[i % 3] for i, question in enumerate(pool)}
    counts: Counter[int] = Counter()
    last: dict[str, int] = {}
    for step in range(300):
        batch = curriculum.sample(rng, pool, 5)
        curriculum.observe([group(question, rates[question.id]) for question in batch])
        counts.update(rates[question.id] for question in batch)
        last |= {question.id: step for question in batch}
    assert counts[4] > 1.5 * counts[0] and counts[4] > 1.5 * counts[8]
    assert min(counts.values()) > 100
    assert len(last) == 30 and min(last.values()) > 200


def test_a_question_never_seen_is_judged_by_its_kind() -> None:
    """Chains of one kind are always solved, of the other half the time: new ones of the second kind come first."""
    easy = replace(TWO_HOPS, relations=(Relation(MARFAN, "caused_by", FBN1), Relation(FBN1, "inherited_as", FBN1)))
    pool = [replace(TWO_HOPS, id=f"mixed-{i}") for i in range(100)] + [
        replace(easy, id=f"easy-{i}") for i in range(100)
    ]
    curriculum, rng = Curriculum([2], CONFIG), random.Random(4)
    seen = [pool[i] for i in range(10)] + [pool[100 + i] for i in range(10)]
    for question in seen:
        curriculum.observe([group(question, 4 if question.id.startswith("mixed") else 8)])
    batch = curriculum.sample(rng, [question for question in pool if question not in seen], 40)
    assert sum(question.id.startswith("mixed") for question in batch) > 32


def test_state_resumes_without_repeating_a_question() -> None:
    pool = questions(20)
    curriculum, rng = Curriculum([1, 2, 3], CONFIG), random.Random(5)
    first = curriculum.sample(rng, pool, 12)
    curriculum.observe([group(question, i % 9) for i, question in enumerate(first)])
    resumed = Curriculum.from_state(json.loads(json.dumps(curriculum.state())), CONFIG)
    assert resumed.state() == curriculum.state()
    assert resumed.shares() == curriculum.shares()
    ours, theirs = curriculum.sample(random.Random(6), pool, 12), resumed.sample(random.Random(6), pool, 12)
    assert ours == theirs
    assert not {question.id for question in theirs} & {question.id for question in first}
    with pytest.raises(DataError, match="another checkpoint"):
        Curriculum.from_state({"strata": [1]}, CONFIG)


def test_a_question_given_back_is_drawn_again_in_this_epoch() -> None:
    pool = questions(5, strata=(1,))
    curriculum, rng = Curriculum([1], CONFIG), random.Random(7)
    lost = curriculum.sample(rng, pool, 4)[0]
    curriculum.give_back([lost])
    assert lost.id in {question.id for question in curriculum.sample(rng, pool, 2)}


def test_off_it_draws_evenly_whatever_it_saw() -> None:
    curriculum = Curriculum([1, 2], CurriculumConfig(enabled=False, floor=0.9))
    curriculum.observe_stratum(1, 80, 80)
    assert curriculum.shares() == {1: 0.5, 2: 0.5}


def test_bad_input_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"use 0\.33 or less"):
        Curriculum([1, 2, 3], CurriculumConfig(floor=0.4))
    with pytest.raises(ConfigError, match="no questions"):
        Curriculum([], CONFIG)
    curriculum = Curriculum([1], CONFIG)
    with pytest.raises(ValueError, match="strata are"):
        curriculum.observe_stratum(2, 1, 1)
    with pytest.raises(ValueError, match="passed <= total"):
        curriculum.observe_stratum(1, 2, 1)
    with pytest.raises(ValueError, match="one id"):
        curriculum.sample(random.Random(0), questions(1, (1,)) * 2, 1)
    with pytest.raises(ValueError, match="strata are"):
        curriculum.sample(random.Random(0), questions(1, (2,)), 1)


def test_metrics_name_every_stratum() -> None:
    metrics = Curriculum([1, 3], CONFIG).metrics()
    assert set(metrics) == {f"curriculum/{name}/{hops}" for name in ("share", "pass_rate", "epoch") for hops in (1, 3)}
    assert metrics["curriculum/pass_rate/1"] == pytest.approx(0.5)
