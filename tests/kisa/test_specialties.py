from collections import Counter

import pytest

from kisa.specialties import most_typical, usual_shares, votes


def test_unspecific_systems_count_only_alone() -> None:
    assert votes(["growth", "ocular", "head and neck"]) == {"ophthalmology": 1}
    assert votes(["growth", "head and neck", "cellular"]) == {
        "endocrinology": 1,
        "otolaryngology": 1,
        "haematology and oncology": 1,
    }
    assert votes([]) == {}


def test_usual_shares_weigh_every_disease_alike() -> None:
    many = Counter({"neurology": 30, "cardiology": 10})
    few = Counter({"cardiology": 1})
    assert usual_shares([many, few, Counter()]) == pytest.approx({"neurology": 0.375, "cardiology": 0.625})


def test_most_typical_is_the_largest_excess_over_the_usual() -> None:
    usual = {"neurology": 0.8, "pulmonology": 0.1, "cardiology": 0.1}
    assert most_typical(Counter({"neurology": 4, "pulmonology": 3}), usual) == "pulmonology"
    assert most_typical(Counter({"neurology": 40, "pulmonology": 3}), usual) == "neurology"
    assert most_typical(Counter({"pulmonology": 2, "cardiology": 2}), usual) == "cardiology"  # a tie: the alphabet


def test_one_specialty_needs_no_comparison() -> None:
    assert most_typical(Counter({"nephrology": 1}), {}) == "nephrology"
    assert most_typical(Counter(), {}) == "endocrinology"
