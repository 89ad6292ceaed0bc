"""The reward: what it pays for, and what must not pay."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrl.rewards import Waste, composite, efficiency_penalty, expert_rubric, rubric_expert, score, task_reward, waste
from medrl.sections.episodes import RewardConfig
from medrl.types import Ending, Entity, Relation, Step, ToolCall
from tests.medrl.episodes import FIND_DISEASE, FIND_GENE, MARFAN, NO_CHAIN, ONE_HOP, TWO_HOPS, episode, final, search

WEIGHTS = RewardConfig()
GOOD = episode(FIND_DISEASE, FIND_GENE, final("FBN1", "per ncbi:2200, Marfan syndrome is caused by FBN1"))


def test_composite_is_the_papers_weighted_sum() -> None:
    assert composite(1.0, 0.5, 0.25, weights=WEIGHTS) == pytest.approx(1.0 + 0.2 * 0.5 - 0.1 * 0.25)
    assert composite(0.0, 0.0, 1.0, weights=WEIGHTS) == pytest.approx(-0.1)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_correct_answer_always_beats_a_wrong_one(expert: float, other: float, efficiency: float) -> None:
    assert composite(1.0, 0.0, 1.0, weights=WEIGHTS) > composite(0.0, expert, 0.0, weights=WEIGHTS)
    assert composite(1.0, expert, efficiency, weights=WEIGHTS) > composite(0.0, other, 0.0, weights=WEIGHTS)


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_terms_outside_their_range_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="expert"):
        composite(1.0, bad, 0.0, weights=WEIGHTS)


def test_a_good_episode_gets_everything() -> None:
    reward = score(TWO_HOPS, GOOD, WEIGHTS)
    assert (reward.task, reward.expert, reward.efficiency) == (1.0, 1.0, 0.0)
    assert reward.total == pytest.approx(1.2)


def test_task_is_correctness_alone() -> None:
    assert task_reward(episode(final("fibrillin-1")), TWO_HOPS) == 1.0
    assert task_reward(episode(final("FBN1, FBN2")), TWO_HOPS) == 0.0
    assert task_reward(episode(final("unknown")), TWO_HOPS) == 0.0
    assert task_reward(episode(FIND_GENE), TWO_HOPS) == 0.0


def test_a_lucky_guess_earns_nothing_from_the_expert() -> None:
    guess = episode(final("FBN1", "Marfan syndrome, source ncbi:2200"))
    assert expert_rubric(guess, TWO_HOPS).score == 0.0
    assert rubric_expert(TWO_HOPS, guess) == 0.0


def test_a_guess_beside_an_unrelated_mention_is_not_supported() -> None:
    """The answer's name stands in a document about something else: that is no evidence."""
    elsewhere = search("ectopia lentis", "Weill-Marchesani syndrome 2 is caused by FBN1.", "omim:608328")
    rubric = expert_rubric(episode(elsewhere, final("FBN1", "omim:608328")), TWO_HOPS)
    assert (rubric.supported, rubric.cited) == (0.0, 0.0)


def test_an_error_message_that_repeats_the_answer_is_no_evidence() -> None:
    echo = search("Marfan syndrome FBN1", "no tool for Marfan syndrome FBN1", mistake=True)
    assert expert_rubric(episode(echo, final("FBN1")), TWO_HOPS).supported == 0.0


def test_the_answer_in_the_query_is_no_evidence() -> None:
    asked = search("is FBN1 the gene of Marfan syndrome", "Nothing found.")
    assert expert_rubric(episode(asked, final("FBN1")), TWO_HOPS).supported == 0.0


def test_spam_of_queries_earns_at_most_the_chain_share() -> None:
    guesses = ["Marfan syndrome", "Loeys-Dietz", "Stickler", "FBN1", "FGFR3", "COL1A1"]
    spam = episode(*(search(name, "Nothing found.", f"d{i}") for i, name in enumerate(guesses)), final("FBN1", "d1"))
    assert expert_rubric(spam, TWO_HOPS).score == pytest.approx(0.3)


def test_a_wrong_answer_after_a_good_search_keeps_only_the_chain_share() -> None:
    rubric = expert_rubric(episode(FIND_DISEASE, FIND_GENE, final("FBN2", "ncbi:2200")), TWO_HOPS)
    assert (rubric.supported, rubric.chain, rubric.cited) == (0.0, 1.0, 0.0)


def test_a_citation_must_be_of_a_document_that_shows_the_answer() -> None:
    def cite(thought: str) -> float:
        return expert_rubric(episode(FIND_DISEASE, FIND_GENE, final("FBN1", thought)), TWO_HOPS).cited

    assert cite("see NCBI:2200") == 1.0
    assert cite("Marfan syndrome is caused by it") == 1.0
    assert cite("see hp:0000768") == 0.0
    assert cite("see PMID:1") == 0.0


def test_gene_symbols_are_not_found_in_ordinary_words() -> None:
    question = replace(ONE_HOP, answer="SET")
    words = search("Marfan syndrome", "Marfan syndrome: a set of findings.")
    assert expert_rubric(episode(words, final("SET"), question=question), question).supported == 0.0


def test_one_hop_counts_the_anchor_and_a_question_without_chain_its_evidence() -> None:
    one = episode(FIND_GENE, final("FBN1", "ncbi:2200"), question=ONE_HOP)
    assert expert_rubric(one, ONE_HOP).score == 1.0
    none = episode(FIND_GENE, final("FBN1"), question=NO_CHAIN)
    rubric = expert_rubric(none, NO_CHAIN)
    assert rubric.chain is None and rubric.score == pytest.approx(0.5 / 0.7)
    assert waste(none, NO_CHAIN) == Waste()


def test_each_kind_of_waste_is_counted_once() -> None:
    malformed = Step("???", None, "Your turn could not be read", "malformed")
    refused = search("", "expected a query", mistake=True)
    assert waste(episode(malformed, refused), TWO_HOPS) == Waste(mistakes=2)
    assert waste(episode(FIND_DISEASE, FIND_DISEASE), TWO_HOPS) == Waste(repeats=1)
    paraphrase = search("Pectus Carinatum?", FIND_DISEASE.observation, "hp:0000768")
    assert waste(episode(FIND_DISEASE, paraphrase), TWO_HOPS) == Waste(repeats=1)
    stray = search("weather in Paris", "It rains.", "w1", tool="web_search")
    assert waste(episode(FIND_DISEASE, stray), TWO_HOPS) == Waste(irrelevant=1)


def test_a_search_for_a_clue_or_for_an_anchor_as_it_is_written_is_relevant() -> None:
    lens = Entity("HP:0001083", "Ectopia lentis", "phenotype")
    clued = replace(TWO_HOPS, anchors=("pigeon chest",), clues=(Relation(lens, "finding_of", MARFAN),))
    for query in ("ectopia lentis", "pigeon chest"):
        step = search(query, "Nothing about that.", "d1")
        assert waste(episode(step), clued) == Waste()
        assert waste(episode(step), TWO_HOPS) == Waste(irrelevant=1)


def test_the_same_call_with_a_new_document_is_no_repeat() -> None:
    more = search("pectus carinatum", "Pectus carinatum occurs in Noonan syndrome.", "omim:163950")
    assert waste(episode(FIND_DISEASE, more), TWO_HOPS) == Waste()


def test_one_verification_is_free_and_further_calls_are_late() -> None:
    checks = [search(f"Marfan syndrome {i}", f"Marfan syndrome, page {i}: FBN1", f"d{i}") for i in range(3)]
    assert waste(episode(FIND_DISEASE, FIND_GENE, checks[0], final("FBN1")), TWO_HOPS) == Waste()
    assert waste(episode(FIND_DISEASE, FIND_GENE, *checks, final("FBN1")), TWO_HOPS) == Waste(late=2)


def test_good_calls_do_not_dilute_the_penalty_and_it_stays_in_range() -> None:
    alone = efficiency_penalty(episode(FIND_DISEASE, FIND_DISEASE), TWO_HOPS)
    diluted = efficiency_penalty(episode(FIND_DISEASE, FIND_DISEASE, FIND_GENE), TWO_HOPS)
    assert alone == diluted == 0.25
    assert efficiency_penalty(episode(*[FIND_DISEASE] * 12), TWO_HOPS) == 1.0


def test_breaking_off_after_mistakes_is_no_way_to_save_calls() -> None:
    bad = search("x", "not JSON", mistake=True)
    assert efficiency_penalty(episode(bad, bad), TWO_HOPS) == 0.5
    assert efficiency_penalty(episode(bad, bad, ending=Ending.MISTAKE_LIMIT), TWO_HOPS) == 1.0


def test_arguments_of_any_type_can_be_scored() -> None:
    odd = Step("x", ToolCall("clinical_reasoning", {"findings": ["Pectus carinatum", 3], "context": None}), "-", "ok")
    assert waste(episode(odd), TWO_HOPS) == Waste()


@pytest.mark.contract("7 four kinds of failure", "an outage is never scored")
def test_an_outage_is_never_scored() -> None:
    with pytest.raises(ValueError, match="outage"):
        score(TWO_HOPS, episode(FIND_DISEASE, ending=Ending.TOOL_OUTAGE), WEIGHTS)
    with pytest.raises(ValueError, match="q2"):
        score(ONE_HOP, GOOD, WEIGHTS)


def test_another_expert_takes_the_rubrics_place() -> None:
    reward = score(TWO_HOPS, GOOD, WEIGHTS, expert=lambda question, rollout: 0.4)
    assert reward.expert == 0.4 and reward.total == pytest.approx(1.08)
