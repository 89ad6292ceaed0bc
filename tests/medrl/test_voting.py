import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrl.evaluation import wilson
from medrl.matching import Verdict, match
from medrl.voting import agree

ANSWERS = [
    "FBN1",
    "the FBN1 gene",
    "The answer is FBN1.",
    "BRCA2",
    "unknown",
    None,
    "",
    "2012",
    "3 May 2012",
    "1 July 2012",
    "Marfan syndrome",
    "Marfan syndrome (MFS)",
]


def same(one: str, other: str) -> bool:
    return match(one, other) is Verdict.CORRECT or match(other, one) is Verdict.CORRECT


def oracle(answers: list[str | None]) -> list[set[int]]:
    """Slowly: each answer is put to every set there is, and goes into the first that holds no stranger to it."""
    sets: list[set[int]] = []
    for place, answer in enumerate(answers):
        if answer is None or answer.strip() == "" or match(answer, "another thing") is Verdict.UNKNOWN:
            continue
        for each in sets:
            strangers = [member for member in each if not same(str(answers[member]), answer)]
            if not strangers:
                each.add(place)
                break
        else:
            sets.append({place})
    return sets


@given(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=8))
def test_clusters_are_those_of_the_oracle(answers: list[str | None]) -> None:
    found = agree(answers)
    expected = sorted(oracle(answers), key=lambda each: (-len(each), min(each)))
    assert [set(cluster.members) for cluster in found.clusters] == expected
    assert found.silent == len(answers) - sum(map(len, expected))
    for cluster in found.clusters:
        said = [str(answers[member]) for member in cluster.members]
        assert all(same(one, other) for one, other in itertools.combinations(said, 2))
        assert cluster.answer in said and said.count(cluster.answer) == max(map(said.count, said))


@pytest.mark.parametrize(
    ("answers", "leader", "votes", "sure"),
    [
        (["FBN1", "The answer is FBN1.", "fbn1 gene", "BRCA2"], "FBN1", 3, True),
        (["BRCA2", "FBN1"], "BRCA2", 1, False),  # the first of equals
        (["BRCA2", "FBN1", "FBN1"], "FBN1", 2, True),
        (["FBN1", "FBN1", None, "unknown"], "FBN1", 2, False),  # half is no majority
        (["3 May 2012", "1 July 2012", "2012"], "3 May 2012", 2, True),
        ([None, "I do not know"], None, 0, False),
    ],
)
def test_what_most_samples_say(answers: list[str | None], leader: str | None, votes: int, sure: bool) -> None:
    found = agree(answers)
    assert (found.leader and found.leader.answer) == leader
    assert (found.votes, found.is_sure) == (votes, sure)
    assert found.share == votes / len(answers) and found.interval == wilson(votes, len(answers))


def test_two_dates_are_never_one_answer_though_a_year_is_both() -> None:
    found = agree(["3 May 2012", "2012", "1 July 2012"])
    assert [cluster.members for cluster in found.clusters] == [(0, 1), (2,)]
