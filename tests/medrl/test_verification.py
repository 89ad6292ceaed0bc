"""What a call was for, and whether looking again goes with being right."""

import json
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrl.chat import render_answer, render_call
from medrl.evaluation import wilson
from medrl.state import Fact, State
from medrl.types import Ending, Rollout, Step, ToolCall
from medrl.verification import FEWEST, Part, Traced, analyse, parts, trace

QUESTION = "Which gene causes the disease that presents with pectus carinatum?"
SEARCH, VERIFY, REPEAT, SYNTHESISE, FAULT = Part


def step(query: str, seen: str, tool: str = "medical_retriever", status: str = "ok", source: str = "") -> Step:
    call = ToolCall(tool, {"document" if tool == "document_read" else "query": query})
    sources = (source,) if source else ()
    return Step(render_call("look", call), call, seen, status, sources)  # type: ignore[arg-type]


def episode(*steps: Step, answer: str | None = "FBN1", facts: Sequence[Fact] = ()) -> Rollout:
    final = [] if answer is None else [Step(render_answer("so", answer), None, "", "answer")]
    ending = Ending.TURN_LIMIT if answer is None else Ending.ANSWERED
    state = State(tuple(facts))
    return Rollout("q", 0, [1], [True], [0.0], [0], [*steps, *final], ending, answer, state=state)


FOUND = Fact("Marfan syndrome", "presents with", "pectus carinatum", "OMIM:154700", 1)
GENE = Fact("Marfan syndrome", "caused by", "FBN1", "OMIM:154700", 2)
FIRST = step("pectus carinatum", "Seen in: Marfan syndrome.", source="HP:1")
SECOND = step("Marfan syndrome gene", "Marfan syndrome: Gene: FBN1.", source="OMIM:154700")


@pytest.mark.parametrize(
    ("third", "what"),
    [
        (step("FBN1", "FBN1 (gene): Marfan syndrome."), VERIFY),  # the answer, asked about
        (step("OMIM:154700", "Gene: FBN1.", "document_read"), VERIFY),  # the document that showed it
        (step("Marfan syndrome cause", "Gene: FBN1.", "web_search"), VERIFY),  # the same entity in another way
        (step("Marfan syndrome gene", "Gene: FBN1."), REPEAT),
        (step("Marfan syndrome gene", "Gene: FBN1.", "web_search"), VERIFY),
        (step("CBS", "CBS (gene): Homocystinuria."), SEARCH),
        (step("pectus carinatum causes", "Seen in: Marfan syndrome."), SEARCH),  # the question's own words
        (step("FBN1", "no query", status="mistake"), FAULT),
    ],
)
def test_a_call_after_the_answer_was_shown(third: Step, what: Part) -> None:
    found = parts(episode(FIRST, SECOND, third, facts=(FOUND, GENE)), QUESTION)
    assert found == [SEARCH, SEARCH, what, SYNTHESISE]


def test_the_next_hop_is_a_search_although_its_entity_was_shown() -> None:
    assert parts(episode(FIRST, SECOND, facts=(FOUND, GENE)), QUESTION) == [SEARCH, SEARCH, SYNTHESISE]


def test_what_nobody_had_shown_is_not_verified() -> None:
    """A guess that is looked up afterwards is a search: nothing was seen before."""
    assert parts(episode(step("FBN1", "FBN1 (gene)")), QUESTION) == [SEARCH, SYNTHESISE]
    refused = step("FBN1", "FBN1: no such field", status="mistake")
    assert parts(episode(refused, step("FBN1", "FBN1 (gene)")), QUESTION) == [FAULT, SEARCH, SYNTHESISE]


def test_an_answer_that_the_question_names_is_no_find() -> None:
    again = step("pectus carinatum again", "pectus carinatum")
    assert parts(episode(FIRST, again, answer="pectus carinatum"), QUESTION)[1] is SEARCH


def test_traced_are_episodes_that_searched_and_answered() -> None:
    assert trace(episode(FIRST, SECOND, step("FBN1", "FBN1")), QUESTION, 2, True) == Traced(2, 1, True)
    assert trace(episode(FIRST, answer=None), QUESTION, 2, False) is None
    assert trace(episode(), QUESTION, 2, True) is None
    assert trace(episode(step("x", "no", status="mistake")), QUESTION, 2, True) is None


def oracle(traced: Sequence[Traced]) -> float | None:
    """Mantel and Haenszel's risk difference, by hand, one stratum after the other."""
    top = bottom = 0.0
    for hops in {each.hops for each in traced}:
        with_ = [each.is_correct for each in traced if each.hops == hops and each.verifications]
        without = [each.is_correct for each in traced if each.hops == hops and not each.verifications]
        if with_ and without:
            weight = len(with_) * len(without) / (len(with_) + len(without))
            top += weight * (sum(with_) / len(with_) - sum(without) / len(without))
            bottom += weight
    return top / bottom if bottom else None


@given(st.lists(st.builds(Traced, st.sampled_from([1, 2, 3]), st.integers(0, 5), st.booleans()), max_size=60))
def test_the_figures_agree_with_a_count_by_hand(traced: list[Traced]) -> None:
    found = analyse(traced)
    assert sum(row.episodes for row in found.rows) == len(traced)
    for row in found.rows:
        of_it = [each.is_correct for each in traced if min(each.verifications, 3) == row.verifications]
        assert (row.episodes, row.correct) == (len(of_it), sum(of_it))
        assert (row.low, row.high) == wilson(sum(of_it), len(of_it))
    num_verified = sum(each.verifications > 0 for each in traced)
    told = min(num_verified, len(traced) - num_verified) >= FEWEST and len({each.is_correct for each in traced}) == 2
    by_hand = oracle(traced)
    assert (found.crude is not None) == told
    assert (found.stratified is not None) == (told and by_hand is not None)
    if found.crude is not None:
        assert found.crude.value == pytest.approx(oracle([Traced(1, e.verifications, e.is_correct) for e in traced]))
        assert found.crude.low <= found.crude.high
    if found.stratified is not None:
        assert found.stratified.value == pytest.approx(by_hand)


def test_difficulty_does_not_pass_for_the_second_look() -> None:
    """Easy questions are right nine times in ten and seldom verified, hard ones one in ten and often: within each a
    second look changes nothing."""
    traced = []
    for hops, share, many in ((1, 0.9, (20, 80)), (4, 0.1, (80, 20))):
        for verifications, count in ((1, many[0]), (0, many[1])):
            traced += [Traced(hops, verifications, place < share * count) for place in range(count)]
    found = analyse(traced)
    assert found.crude is not None and found.stratified is not None
    assert found.crude.high < -0.3
    assert found.stratified.value == pytest.approx(0.0) and found.stratified.low < 0 < found.stratified.high


def test_the_interval_holds_a_true_difference_as_often_as_it_says() -> None:
    rng, held = random.Random(0), 0
    for _ in range(120):
        traced = []
        for _ in range(150):
            hops, verifications = rng.choice([1, 3]), rng.choice([0, 1])
            traced.append(Traced(hops, verifications, rng.random() < 0.7 - 0.15 * hops + 0.2 * verifications))
        found = analyse(traced).stratified
        assert found is not None
        held += found.low <= 0.2 <= found.high
    assert 105 <= held <= 120  # of 120 at 95%: 114 ± 2.4


def test_five_of_five_against_none_of_five_is_not_certain() -> None:
    traced = [Traced(2, place % 2, bool(place % 2)) for place in range(10)]
    found = analyse(traced)
    assert found.crude is not None and found.crude == found.stratified and found.crude.value == 1.0
    low = wilson(5, 5)[0]  # Newcombe's by hand: both shares may be as far from their ends as Wilson says
    assert found.crude.low == pytest.approx(1 - 2**0.5 * (1 - low)) and found.crude.high == pytest.approx(1.0)


def test_newcombe_s_own_example() -> None:
    """Newcombe 1998, table II (a): 56/70 and 48/80, 0.2 from 0.0524 to 0.3339 by method 10."""
    traced = [Traced(1, 1, place < 56) for place in range(70)] + [Traced(1, 0, place < 48) for place in range(80)]
    found = analyse(traced).crude
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_hops_that_nobody_knows_are_no_stratum() -> None:
    traced = [Traced(None, place % 2, place % 3 == 0) for place in range(30)]
    found = analyse(traced)
    assert found.crude is not None and found.stratified is None
    known = [Traced(2, place % 2, place % 4 == 0) for place in range(30)]
    assert analyse([*traced, *known]).stratified == analyse(known).stratified


def test_arguments_of_any_shape_are_read() -> None:
    call = ToolCall("clinical_reasoning", {"findings": ["Marfan syndrome", 3], "n": {"x": None}})
    odd = Step(json.dumps("?"), call, "1. FBN1", "ok")
    assert parts(episode(FIRST, SECOND, odd, facts=(FOUND, GENE)), QUESTION)[2] is VERIFY
