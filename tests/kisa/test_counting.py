from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kisa.counting import Counts, count_batch
from kisa.extraction import DictionaryExtractor
from kisa.mentions import Dictionary, Name

NAMES = [Name("Marfan syndrome", "marfan"), Name("MFS1", "marfan"), Name("FBN1", "gene", exact=True), Name("fbn", "x")]
TEXTS = ["Marfan syndrome (MS): MS, MFS1 and FBN1.", "fbn1 is no symbol", "", "FBN1, fbn, FBN1", "Marfan-syndrome"]

tallies = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9), max_size=4)
counts = st.builds(Counts, st.integers(0, 99), st.integers(0, 9999), tallies, tallies)


def by_hand(texts: list[str]) -> Counts:
    words = [text.replace("-", " ") for text in texts]
    marfan = sum("Marfan syndrome" in text or "MFS1" in text for text in words)
    gene, other = sum("FBN1" in text for text in words), sum("fbn," in text for text in words)
    named = {"marfan": marfan, "gene": gene, "x": other}
    return Counts(len(texts), sum(map(len, texts)), {key: count for key, count in named.items() if count})


@given(counts, counts, counts)
def test_adding_is_associative_and_commutative_and_loses_nothing(a: Counts, b: Counts, c: Counts) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Counts() == a
    whole = a + b
    assert whole.documents == a.documents + b.documents and whole.characters == a.characters + b.characters
    for key in "abcd":
        assert whole.mentions.get(key, 0) == a.mentions.get(key, 0) + b.mentions.get(key, 0)
        assert whole.skipped.get(key, 0) == a.skipped.get(key, 0) + b.skipped.get(key, 0)


@given(st.lists(st.sampled_from(TEXTS), max_size=12), st.lists(st.integers(0, 12), max_size=4))
def test_any_split_of_the_documents_adds_up_to_the_same(texts: list[str], cuts: list[int]) -> None:
    find = Dictionary(NAMES).find
    edges = [0, *sorted(min(cut, len(texts)) for cut in cuts), len(texts)]
    parts = [count_batch(find, texts[start:end]) for start, end in pairwise(edges)]
    assert sum(parts, Counts()) == count_batch(find, texts) == by_hand(texts)


def test_an_entity_counts_once_in_a_document_by_whatever_name() -> None:
    for find in (Dictionary(NAMES).find, DictionaryExtractor(NAMES).extract):
        assert count_batch(find, iter(TEXTS)) == by_hand(TEXTS)
    assert by_hand(TEXTS).mentions == {"marfan": 2, "gene": 2, "x": 1}
