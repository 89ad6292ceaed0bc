"""The scorer beside people's labels, and what may not pass whatever a pair says."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.benchmarks.item import Item
from envs.benchmarks.medbrowsecomp import COMPANY, STOCK_PRICE
from envs.benchmarks.scorer import UNMATCHED, score
from envs.benchmarks.statements import LONGEST
from medrl.matching import Verdict, match, parse_judgement
from medrl.records import read_jsonl
from tests.envs.benchmarks.pairs import PAIRS, Pair, confusion

FALSE_CORRECT = 0
"""Of the pairs that are labelled incorrect or unknown: as many may be scored correct."""
AGREEMENT = 0.9
C, X, U = Verdict.CORRECT, Verdict.INCORRECT, Verdict.UNKNOWN


def verdict(
    prediction: str | None, gold: str, question: str = "Which one?", *aliases: str, na: bool = False
) -> Verdict:
    return score(Item("1", "b", question, gold, aliases, is_na=na), prediction).verdict


def test_agrees_with_people() -> None:
    pairs = list(read_jsonl(PAIRS, Pair))
    total, by_kind = confusion(pairs)
    for kind, counts in sorted({**by_kind, "all": total}.items()):
        print(kind, {f"{label} scored {given}": counts[label, given] for label in Verdict for given in Verdict})
    assert len(pairs) >= 200
    assert {pair.label for pair in pairs} == set(Verdict)
    assert total[X, C] + total[U, C] <= FALSE_CORRECT
    assert sum(total[each, each] for each in Verdict) >= AGREEMENT * len(pairs)


def test_looks_further_than_the_reward_does_and_is_no_worse() -> None:
    pairs = list(read_jsonl(PAIRS, Pair))
    ours = sum(score(pair.item, pair.prediction).verdict == pair.label for pair in pairs)
    assert ours > sum(match(pair.prediction, pair.gold, aliases=pair.aliases) == pair.label for pair in pairs)


def test_three_replies_of_judges() -> None:
    replies = (
        "reasoning: A different company holds the latest approval. correct: no",
        "Hepatitis B is what the reference says, too. correct: yes",
        "**correct:** no",
    )
    assert [parse_judgement(reply) for reply in replies] == [X, C, X]


GAMING = (
    *(
        "FBN1, FBN2, TGFBR1",
        "FBN1 or FBN2",
        "FBN1/FBN2",
        "FBN1 = FBN2",
        "FBN1 (FBN2)",
        "FBN1\nFBN2\nTGFBR1",
        "not FBN1",
    ),
    *("The answer is: FBN1; TGFBR2", "FBN1. FBN2. TGFBR1.", "FBN1. It could also be FBN2.", "It is not FBN1."),
    *("Either FBN1 or, as the source says, FBN2", "Answer: FBN1. Answer: FBN2", "FBN1 is wrong; the answer is FBN2"),
    *("Is the answer FBN1?", "FBN1 " * 200, "FBN1 " * 20_000, " . " * 20_000 + "FBN1 is one of the genes"),
    *("FBN2, not FBN1", "FBN2 rather than FBN1", "The gene was thought to be FBN1, but it is FBN2", "FBN1 — or TGFBR2"),
)


@pytest.mark.parametrize("said", GAMING)
def test_a_list_of_candidates_is_no_answer(said: str) -> None:
    assert verdict(said, "FBN1", "Which gene?") is not C


def test_a_copy_of_the_question_is_no_answer() -> None:
    question = "Which drug of the two, imatinib or dasatinib, did trial NCT01234567 of 2011 test in 120 patients?"
    for gold in ("imatinib", "NCT01234567", "2011", "120", question):
        assert verdict(question, gold, question) is X


@pytest.mark.parametrize(
    ("said", "gold", "question"),
    [
        ("FBN1. TGFBR2 is the gene", "FBN1", "Which gene?"),
        ("FBN1\nTGFBR2 is the gene", "FBN1", "Which gene?"),
        ("FBN1 - TGFBR2 is the one", "FBN1", "Which gene?"),
        ("Excluded: FBN1", "FBN1", "Which gene?"),
        ("The gene ruled out is FBN1", "FBN1", "Which gene?"),
        ("It was never FBN1", "FBN1", "Which gene?"),
        ("被排除的是张三", "张三", "谁？"),
        ("more than 3", "3", "How many?"),
        ("fewer than 3 albums", "3", "How many?"),
        ("at least 3", "3", "How many?"),
        ("up to three", "3", "How many?"),
        ("3 dozen", "3", "How many?"),
        ("至少3个", "3", "多少？"),
        ("The patent expires before May 4, 2031", "May 4, 2031", "When?"),
        ("one day after 2031-05-04", "May 4, 2031", "When?"),
        ("after 2031", "2031", "In which year?"),
        ("1998年之前", "1998年", "哪年？"),
        ("早于1998年", "1998年", "哪年？"),
        ("4个以上", "4", "多少？"),
        ("4的两倍", "4", "多少？"),
        ("Between $20.13 and 21", "20.13", "What was the opening price?"),
        ("carboplatin with paclitaxel", "carboplatin", "Which drug?"),
        ("It runs until at least 2031", "2031", "In which year?"),
        ("all but NCT01234567", "NCT01234567", "Which trial?"),
        ("apart from NCT01234567, every trial", "NCT01234567", "Which trial?"),
        ("every trial except NCT01234567", "NCT01234567", "Which trial?"),
        ("It does not fail.", "No", "Does it work?"),
        ("It has not failed.", "No", "Does it work?"),
        ("No, it does. Yes.", "No", "Does it work?"),
        ("true, that would be good, yet it is rare", "Yes", "Does it work?"),
    ],
)
def test_what_turns_an_answer_round_is_read(said: str, gold: str, question: str) -> None:
    assert verdict(said, gold, question) is not C


@pytest.mark.parametrize(
    ("said", "gold", "question"),
    [
        ("FBN1. It is the gene of fibrillin", "FBN1", "Which gene?"),
        ("FBN1. FBN1 is the gene of fibrillin", "FBN1", "Which gene?"),
        ("at least 3", ">= 3", "How many?"),
        ("two dozen", "24", "How many?"),
        ("It does not work.", "No", "Does it work?"),
        ("It is not possible.", "No", "Can it be done?"),
    ],
)
def test_what_only_explains_an_answer_does_it_no_harm(said: str, gold: str, question: str) -> None:
    assert verdict(said, gold, question) is C


@pytest.mark.parametrize(
    "said", ["Not listed. It is Pfizer", "No exclusivity until next August", "No later than August", "No doubt Pfizer"]
)
def test_an_answer_that_begins_like_none_is_one(said: str) -> None:
    assert verdict(said, "NA", na=True) is X


def test_na_is_no_answer_where_it_was_not_offered() -> None:
    assert [verdict(said, "EISAI", "Which company?") for said in ("NA", "COMPANY: NA", "None")] == [U] * 3


@pytest.mark.parametrize(
    ("said", "gold", "expected"),
    [
        ("COMPANY: Eisai Pharma US, Inc.", "EISAI", C),
        ("COMPANY: Pfizer Inc", "EISAI", X),
        ("Sun Pharmaceutical Industries Ltd", "SUN PHARM INDS", X),
        ("COMPANY: unknown", "EISAI", U),
        ("Bristol-Myers Squibb Company", "BRISTOL MYERS SQUIBB", C),
        ("The company is Eisai Pharma US Inc, approved Aug 2023.", "EISAI", C),
        ("Eisai Pharma US Inc or Pfizer", "EISAI", X),
    ],
)
def test_companies(said: str, gold: str, expected: Verdict) -> None:
    item = Item("1", "b", "Which company? Return only the company name in format of COMPANY: name.", gold, task=COMPANY)
    assert score(item, said).verdict is expected


def test_a_price_is_found_beside_its_ticker() -> None:
    question = "Provide:\n1. The stock ticker symbol\n2. The opening stock price on the FDA approval date in 2012"
    item = Item("1", "b", question, "20.12999916", ("20.13",), task=STOCK_PRICE)
    right = ("20.13", "ABCD; $20.13", "1. ABCD\n2. $20.13", "Ticker: ABCD, opening price: 20.13 USD")
    assert [score(item, said).verdict for said in right] == [C] * 4
    wrong = ("ABCD; $20.93", "ABCD; it opened at $20.13 or $21.13", "ABCD", "It opened at $20.13 and closed at $20.93.")
    assert [score(item, said).verdict for said in wrong] == [X] * 4


@pytest.mark.parametrize(
    ("said", "gold", "question", "expected", "rule"),
    [
        ("date: 09-03-2027", "Sep 3, 2027", "In MM-DD-YYYY format.", C, "date"),
        ("date: 03-09-2027", "Sep 3, 2027", "In MM-DD-YYYY format.", X, "date"),
        ("03-09-2027", "Sep 3, 2027", "In DD-MM-YYYY format.", C, "date"),
        ("03-09-2027", "Sep 3, 2027", "When?", X, UNMATCHED),  # it could be either
        ("2027", "Sep 3, 2027", "When?", X, UNMATCHED),
        ("2028", "Sep 3, 2027", "When?", X, "date"),
        ("September 2028", "Sep 3, 2027", "When?", X, "date"),
        ("The patent runs until 3 September 2027.", "Sep 3, 2027", "When?", C, "date"),
        ("From 1 May 2020 to 3 September 2027", "Sep 3, 2027", "When?", X, UNMATCHED),
        ("2027年9月3日", "Sep 3, 2027", "When?", C, "date"),
        ("NCT01234567, a phase 3 trial", "NCT01234567", "Which trial?", C, "identifier"),
        ("NCT01234568", "NCT01234567", "Which trial?", X, "identifier"),
        ("ORPHA:154700", "OMIM:154700", "Which id?", X, "identifier"),
        ("120 patients were enrolled.", "120", "How many?", C, "amount"),
        ("120 patients at 12 sites", "120", "How many?", X, UNMATCHED),
        ("Onset was at 18 days.", "18 months", "When?", X, UNMATCHED),
        ("about 3,700,000吨", "370万吨", "多少？", C, "amount"),
        ("380万吨", "370万吨", "多少？", X, UNMATCHED),  # near enough for a judge to look at
        ("500万吨", "370万吨", "多少？", X, "amount"),
        ("€20", "$20", "What price?", X, UNMATCHED),
        ("没有参加", "没有", "她参加了吗？", C, "polarity"),
        ("参加了", "没有", "她参加了吗？", X, "polarity"),
        ("不清楚", "没有", "她参加了吗？", U, "abstention"),
        ("蛤蟆草", "车前（又名蛤蟆草）", "叫什么？", C, "name"),
        ("John Smith", "Smith, John", "Which author?", C, "name"),
        ("Smith J", "John Smith", "Which author?", C, "name"),
        ("Smith R", "John Smith", "Which author?", X, UNMATCHED),
        ("imatinib, not dasatinib", "imatinib", "Which?", C, "name"),
        ("The sponsor was Roche, according to the registry.", "Roche", "Who?", C, "name"),
    ],
)
def test_rules(said: str, gold: str, question: str, expected: Verdict, rule: str) -> None:
    given = score(Item("1", "b", question, gold), said)
    assert (given.verdict, given.rule, given.judged) == (expected, rule, False)


@pytest.mark.parametrize(
    "said", ["NA", "DATE: NA", "n.a.", "None", "not applicable", "NOT LISTED", "There is no patent."]
)
def test_absence_is_right_where_there_is_none_and_nowhere_else(said: str) -> None:
    assert verdict(said, "NA", na=True) is C
    assert verdict(said, "Aug 19, 2028", "If there is none, respond with 'DATE: NA'.") is X
    assert verdict(said, "Aug 19, 2028", "When?") is not C


@pytest.mark.parametrize("said", ["Aug 19, 2028", "NA Pharma Ltd", "Sodium (Na)", "none but 7342118", "2027"])
def test_a_concrete_answer_is_wrong_where_there_is_none(said: str) -> None:
    assert verdict(said, "NA", na=True) is X


@pytest.mark.parametrize(
    "said", [None, "", "  ", "…", "unknown", "I don't know.", "无法确定", "DATE: unknown", "No idea"]
)
@pytest.mark.parametrize("na", [True, False])
def test_saying_nothing_is_unknown(said: str | None, na: bool) -> None:
    assert verdict(said, "NA" if na else "Aug 19, 2028", na=na) is U


NAMES = st.sampled_from("carboplatin paclitaxel imatinib dasatinib ruxolitinib warfarin ivacaftor lenalidomide".split())
SEPARATORS = st.sampled_from(["; ", ", ", "、", "\n", " and ", " + ", "；", "，"])


@given(st.lists(NAMES, min_size=2, max_size=4, unique=True), SEPARATORS, SEPARATORS, st.data())
def test_lists_have_no_order_and_no_one_separator(
    names: list[str], ours: str, theirs: str, data: st.DataObject
) -> None:
    said = data.draw(st.permutations(names))
    assert verdict(ours.join(said), theirs.join(names)) is C
    assert verdict(ours.join(said[:-1]), theirs.join(names)) is X
    assert verdict(ours.join([*said, "heparin"]), theirs.join(names)) is X
    assert verdict(ours.join([*said, said[0]]), theirs.join(names)) is X
    assert verdict(ours.join([*said[:-1], "heparin"]), theirs.join(names)) is X


def test_order_of_three_by_enumeration() -> None:
    golds = ("BRCA1", "BRCA2", "PALB2")
    assert all(verdict(", ".join(order), "; ".join(golds)) is C for order in permutations(golds))


ANSWERS = st.one_of(
    NAMES,
    st.dates().map(lambda day: f"{day:%Y-%m-%d}"),
    st.integers(0, 10**6).map("{:,}".format),
    st.integers(10**7, 10**8 - 1).map("NCT{}".format),
    st.sampled_from(["Eisai Pharma US, Inc.", "5.9 m", "256k", "三千零五", "John Smith", "Marfan syndrome", "6.15%"]),
)


@given(ANSWERS)
def test_an_answer_is_itself_however_it_is_introduced(answer: str) -> None:
    for said in (answer, f"The answer is {answer}.", f"**{answer}**", f"Final answer: {answer}", f"答案是{answer}。"):
        assert verdict(said, answer) is C


@given(ANSWERS, ANSWERS)
def test_being_the_same_has_no_direction_among_plain_answers(one: str, other: str) -> None:
    assert (verdict(one, other) is C) == (verdict(other, one) is C)


QUESTIONS = st.sampled_from(
    ["Which?", "Who is the author?", "Which company?", "What price?", "When, in MM-DD-YYYY?", "谁？"]
)
TEXTS = st.one_of(st.text(max_size=80), st.text(alphabet="aB1.,;:-/()$%十万年月日是 \n", max_size=40))


@given(TEXTS, TEXTS, QUESTIONS, st.booleans())
@settings(max_examples=500)
def test_any_text_has_a_verdict_and_always_the_same(said: str, gold: str, question: str, na: bool) -> None:
    item = Item("1", "b", question, gold, is_na=na)
    assert score(item, said) == score(item, said)


@pytest.mark.parametrize(
    "part", ["FBN1 ", "the ", "answer: ", "12 ", "十", "1,", "(", "Dr. ", "是", "Jan ", "one and a half "]
)
def test_a_long_text_is_left_to_a_judge_without_being_searched(part: str) -> None:
    given = score(Item("1", "b", "Who?", "FBN1"), part * (LONGEST * 20))
    assert given.verdict is not C
