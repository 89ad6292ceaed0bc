import random

from hypothesis import given
from hypothesis import strategies as st

from kisa.duplicates import contaminated, exact_duplicates, jaccard, near_duplicates, shingles

LONG = "Which gene is mutated in the disease that presents with ectopia lentis and with tall stature in childhood"


def test_exact_duplicates_are_equal_word_for_word() -> None:
    texts = {"a": "Which gene causes X?", "b": "which gene, causes x", "c": "Which gene causes Y?"}
    assert exact_duplicates(texts) == [("b", "a")]


def test_near_duplicates_differ_in_little() -> None:
    texts = {"a": LONG, "b": LONG + " too", "c": " ".join(reversed(LONG.split()))}
    assert near_duplicates(texts) == [("b", "a")]
    assert near_duplicates(texts, threshold=0.95) == []


@given(st.integers(0, 10_000))
def test_a_pair_that_is_named_is_alike_and_identical_texts_are_named(seed: int) -> None:
    rng = random.Random(seed)
    texts = {str(number): " ".join(rng.choice("abc") for _ in range(rng.randint(1, 9))) for number in range(12)}
    texts["twin"] = texts["0"]
    pairs = near_duplicates(texts)
    assert all(jaccard(shingles(texts[a]), shingles(texts[b])) >= 0.8 for a, b in pairs)
    assert "twin" in {later for later, _ in pairs}


def test_contamination_is_a_run_of_words() -> None:
    texts = {"a": LONG, "b": "Which gene is mutated?", "c": "Of which disease is this the gene, in one word, please?"}
    copied = "1. " + " ".join(LONG.split()[2:12]).upper()
    assert contaminated(texts, [copied]) == ["a"]
    assert contaminated(texts, ["something else altogether that is long enough to count"]) == []
    assert contaminated(texts, []) == []
