"""The table of a run beside slow sums over its rows."""

from itertools import combinations
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.benchmarks.item import Item
from envs.benchmarks.scored import Scored
from envs.benchmarks.scorer import score
from envs.benchmarks.table import compare, tabulate
from medrl.evaluation import wilson
from medrl.matching import Verdict

C, X, U = Verdict.CORRECT, Verdict.INCORRECT, Verdict.UNKNOWN
TASKS = ("company", "date", "")


def items_of(number: int) -> list[Item]:
    """Every third is NA; tasks, hops and levels in turn, some without."""
    return [
        Item(f"i{each}", "b", "?", "NA" if each % 3 == 0 else "Roche", (), TASKS[each % 3],
             level=each % 2 or None, hops=each % 4 or None, is_na=each % 3 == 0)
        for each in range(number)
    ]  # fmt: skip


def sample(item_id: str, number: int, verdict: Verdict, **changed: object) -> Scored:
    return Scored(item_id, number, "x", verdict, "name", False, "answered", **changed)  # type: ignore[arg-type]


@st.composite
def runs(draw: st.DrawFn, num_samples: int = 3) -> tuple[list[Item], list[list[Verdict]], list[Scored]]:
    """Items, verdicts by item and sample, and the same as lines in any order."""
    verdicts = draw(
        st.lists(st.lists(st.sampled_from(list(Verdict)), min_size=1, max_size=num_samples), min_size=1, max_size=9)
    )
    items = items_of(len(verdicts))
    lines = [sample(f"i{i}", s, verdict) for i, of_item in enumerate(verdicts) for s, verdict in enumerate(of_item)]
    return items, verdicts, draw(st.permutations(lines))


@given(runs())
def test_shares_are_of_the_first_samples(run: tuple[list[Item], list[list[Verdict]], list[Scored]]) -> None:
    items, verdicts, lines = run
    table = tabulate(items, lines)
    firsts = [of_item[0] for of_item in verdicts]

    def expected(chosen: list[int], wanted: Verdict = C) -> tuple[float, float, float, int] | None:
        hits = sum(firsts[i] is wanted for i in chosen)
        return (hits / len(chosen), *wilson(hits, len(chosen)), len(chosen)) if chosen else None

    def given_as(estimate: object) -> tuple[float, float, float, int] | None:
        return None if estimate is None else (estimate.value, estimate.low, estimate.high, estimate.n)  # type: ignore[attr-defined]

    everything = list(range(len(items)))
    assert given_as(table.accuracy) == expected(everything)
    assert given_as(table.unknown) == expected(everything, U)
    assert given_as(table.real) == expected([i for i in everything if i % 3])
    for task in ("company", "date"):
        assert given_as(table.by_task.get(task)) == expected([i for i in everything if TASKS[i % 3] == task])
    assert "" not in table.by_task
    for hops in (1, 2, 3):
        assert given_as(table.by_hops.get(hops)) == expected([i for i in everything if i % 4 == hops])
    assert given_as(table.by_level.get(1)) == expected([i for i in everything if i % 2])
    assert (table.num_items, table.num_missing, table.num_samples) == (len(items), 0, len(lines))


@given(runs())
def test_pass_at_k_by_enumeration(run: tuple[list[Item], list[list[Verdict]], list[Scored]]) -> None:
    items, verdicts, lines = run
    table = tabulate(items, lines)
    assert set(table.pass_at) == set(range(1, min(map(len, verdicts)) + 1))
    for k, estimate in table.pass_at.items():
        chances = [fmean(C in drawn for drawn in combinations(of_item, k)) for of_item in verdicts]
        assert estimate.value == pytest.approx(fmean(chances), abs=1e-12)
        assert estimate.low <= estimate.value + 1e-12 and estimate.value <= estimate.high + 1e-12
        assert estimate.n == len(items)


def test_always_na_is_what_the_scorer_gives_to_a_system_that_always_says_na() -> None:
    items = items_of(40)
    lines = [sample(item.id, 0, score(item, "NA").verdict) for item in items]
    table = tabulate(items, lines)
    assert table.accuracy == table.always_na
    assert table.always_na is not None and (table.always_na.value, table.always_na.n) == (14 / 40, 40)
    assert (table.always_na.low, table.always_na.high) == wilson(14, 40)
    assert table.real is not None and (table.real.value, table.real.n) == (0.0, 26)


def test_items_without_a_sample_are_in_no_figure() -> None:
    items = items_of(6)
    lines = [sample("i1", 0, C), sample("i3", 0, X)]
    table = tabulate(items, lines)
    assert (table.num_items, table.num_missing) == (6, 4)
    assert table.accuracy is not None and (table.accuracy.value, table.accuracy.n) == (0.5, 2)
    assert table.always_na is not None and (table.always_na.value, table.always_na.n) == (0.5, 2)
    empty = tabulate(items, [])
    assert empty.num_missing == 6 and empty.accuracy is None and empty.costs is None and empty.pass_at == {}


def test_costs_are_means_over_items() -> None:
    items = items_of(2)
    lines = [
        sample("i0", 0, C, tool_calls={"search": 2}, turns=3, tokens=100, duration_s=1.0),
        sample("i0", 1, C, tool_calls={"search": 4, "read": 2}, turns=5, tokens=300, duration_s=3.0),
        sample("i1", 0, X, tool_calls={}, turns=1, tokens=10, duration_s=0.5),
    ]
    costs = tabulate(items, lines).costs
    assert costs is not None
    assert (costs.tool_calls, costs.turns, costs.tokens, costs.duration_s) == (2.0, 2.5, 105.0, 1.25)
    assert costs.by_tool == {"read": 0.5, "search": 1.5}


def test_same_lines_in_another_order_give_the_same_table() -> None:
    items = items_of(12)
    rng = Random(3)
    lines = [
        sample(f"i{i}", s, rng.choice(list(Verdict)), tokens=rng.randrange(99)) for i in range(12) for s in range(4)
    ]
    shuffled = rng.sample(lines, len(lines))
    assert tabulate(items, lines, seed=5) == tabulate(items, shuffled, seed=5)
    assert compare(items, lines, lines[::-1], seed=5) == compare(items, shuffled, lines, seed=5)


def test_a_sample_of_nothing_or_twice_is_refused() -> None:
    items = items_of(2)
    with pytest.raises(ValueError, match="a sample of i7, which is none of the 2 items"):
        tabulate(items, [sample("i7", 0, C)])
    with pytest.raises(ValueError, match="sample 1 of i0 is there twice"):
        tabulate(items, [sample("i0", 1, C), sample("i0", 1, X)])


def test_two_runs_are_paired_by_item_and_not_by_place() -> None:
    items = items_of(8)
    first = [sample(f"i{i}", 0, C if i < 5 else X) for i in range(8)]
    second = [sample(f"i{i}", 0, C if i in (0, 6) else U) for i in reversed(range(7))]
    compared = compare(items, first, second)
    assert (compared.only_first, compared.only_second, compared.difference.n) == (4, 1, 7)
    assert compared.difference.value == pytest.approx(5 / 7 - 2 / 7)
    assert compared.p_value == pytest.approx(2 * (1 + 5) / 2**5)  # P(at most 1 of 5 heads), twice
    back = compare(items, second, first)
    assert (back.only_first, back.only_second) == (1, 4)
    assert back.difference.value == pytest.approx(-compared.difference.value)
    with pytest.raises(ValueError, match="no item in common"):
        compare(items, first[:1], second[:1])


def test_the_difference_is_of_all_samples() -> None:
    items = items_of(2)
    first = [sample("i0", 0, C), sample("i0", 1, X), sample("i1", 0, C)]
    second = [sample("i0", 0, X), sample("i1", 0, X)]
    assert compare(items, first, second).difference.value == pytest.approx(0.75)


def test_a_run_differs_from_itself_by_nothing() -> None:
    items = items_of(9)
    lines = [sample(f"i{i}", 0, C if i % 2 else X) for i in range(9)]
    compared = compare(items, lines, lines)
    assert compared.difference.value == 0.0 and compared.p_value == 1.0
    unseen = wilson(0, 9)[1]  # nine questions cannot say that no question differs
    assert (compared.difference.low, compared.difference.high) == pytest.approx((-unseen, unseen))


def test_all_or_none_is_not_told_without_an_interval() -> None:
    items = items_of(9)
    right, wrong = ([sample(f"i{i}", s, each) for i in range(9) for s in range(2)] for each in (C, X))
    assert (tabulate(items, wrong).pass_at[2].low, tabulate(items, wrong).pass_at[2].high) == wilson(0, 9)
    assert (tabulate(items, right).pass_at[2].low, tabulate(items, right).pass_at[2].high) == wilson(9, 9)
    compared = compare(items, right, wrong)
    assert compared.difference.low == pytest.approx(1 - 2 * wilson(0, 9)[1]) and compared.difference.high == 1.0
    assert compared.p_value == pytest.approx(2 / 2**9)


def test_the_p_value_uses_all_samples() -> None:
    items = items_of(8)
    first = [sample(f"i{i}", s, C if s else X) for i in range(8) for s in range(3)]
    second = [sample(f"i{i}", s, X) for i in range(8) for s in range(2)]
    compared = compare(items, first, second)
    assert (compared.only_first, compared.only_second) == (0, 0)  # of the first samples
    assert compared.p_value == pytest.approx(2 / 2**8)


@pytest.mark.parametrize("said", ["NA", "DATE: NA", "NOT LISTED", "None"])
def test_an_agent_that_says_na_to_everything_gets_the_baseline(said: str) -> None:
    asks = ("When does it expire? If NA, respond with 'DATE: NA'.", "Which company?")
    golds = ("NA", "Aug 19, 2028", "EISAI", "0", "none but one")
    items = [Item(f"{asked}{gold}", "b", asked, gold, is_na=gold == "NA") for asked in asks for gold in golds]
    lines = []
    for item in items:
        found = score(item, said)
        lines.append(Scored(item.id, 0, said, found.verdict, found.rule, found.judged, "answered"))
    table = tabulate(items, lines)
    assert table.accuracy == table.always_na and table.accuracy is not None and table.accuracy.value == 0.2
    assert table.real is not None and table.real.value == 0.0
