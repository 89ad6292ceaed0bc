import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kisa.mentions import Dictionary, Name, abbreviations
from kisa.names import tokens

NAMES = [
    Name("Marfan syndrome", "marfan"),
    Name("syndrome", "syndrome"),
    Name("WAS", "gene", exact=True),
    Name("Sjögren syndrome", "sjogren"),
    Name("Ectopia lentis", "lens"),
    Name("ectopia-lentis", "lens too"),
]


def found(dictionary: Dictionary, text: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(text[each.start : each.end], each.entities) for each in dictionary.find(text)]


def test_longest_names_at_word_boundaries_with_their_places() -> None:
    text = "It was Marfan  syndrome, WAS; Sjögren's. SJOGREN Syndrome with ectopia lentis; syndromes."
    assert found(Dictionary(NAMES), text) == [
        ("Marfan  syndrome", ("marfan",)),
        ("WAS", ("gene",)),
        ("SJOGREN Syndrome", ("sjogren",)),
        ("ectopia lentis", ("lens", "lens too")),
    ]


@pytest.mark.parametrize("text", ["Sjögren syndrome", "Sjo\u0308gren syndrome", "\ufb01 Sjögren syndrome"])
def test_places_are_the_text_s_own_even_where_accents_fall_away(text: str) -> None:
    ((name, owners),) = found(Dictionary(NAMES), text)
    assert name == text.removeprefix("\ufb01 ") and owners == ("sjogren",)


def test_greek_letters_tell_names_apart() -> None:
    dictionary = Dictionary([Name("α-thalassemia", "a"), Name("beta-thalassemia", "b")])
    assert found(dictionary, "Alpha-thalassemia, β-thalassemia") == [
        ("Alpha-thalassemia", ("a",)),
        ("β-thalassemia", ("b",)),
    ]


def test_nothing_is_found_without_names() -> None:
    assert found(Dictionary([]), "Marfan syndrome") == []


def test_a_longer_name_that_breaks_off_hides_none_inside_it() -> None:
    dictionary = Dictionary([Name("familial heart block type 2", "long"), Name("heart block", "short")])
    assert found(dictionary, "Familial heart block type 1") == [("heart block", ("short",))]


def test_a_symbol_in_the_wrong_case_hides_no_name() -> None:
    dictionary = Dictionary([Name("CAT EYE", "gene", exact=True), Name("eye", "eye")])
    assert found(dictionary, "cat eye, CAT EYE") == [("eye", ("eye",)), ("CAT EYE", ("gene",))]


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), max_size=8), st.integers(0, 1000))
def test_it_finds_what_trying_every_name_at_every_word_finds(names: list[list[str]], seed: int) -> None:
    rng = random.Random(seed)
    text = " ".join(rng.choice("abcd") for _ in range(30))
    words = text.split()
    expected, position = [], 0
    while position < len(words):
        lengths = [len(name) for name in names if words[position : position + len(name)] == name]
        if lengths:
            expected.append(" ".join(words[position : position + max(lengths)]))
        position += max(lengths, default=1)
    dictionary = Dictionary(Name(" ".join(name), " ".join(name)) for name in names)
    assert [name for name, _ in found(dictionary, text)] == expected
    assert all(tokens(name) == tokens(owner) for name, owners in found(dictionary, text) for owner in owners)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We saw Marfan syndrome (MFS) again", {"MFS": "Marfan syndrome"}),
        ("a tumor necrosis factor-alpha (TNF-alpha)", {"TNF-alpha": "tumor necrosis factor-alpha"}),
        ("the multiple endocrine neoplasia type 1 (MEN1)", {"MEN1": "multiple endocrine neoplasia type 1"}),
        ("gastrointestinal stromal tumors (GISTs)", {"GIST": "gastrointestinal stromal tumors"}),
        ("attention deficits (see above) and 12 patients (12)", {}),
        ("polymerase chain reaction (XYZ)", {}),
    ],
)
def test_abbreviations_and_their_long_forms(text: str, expected: dict[str, str]) -> None:
    assert {short: text[start:end] for short, (start, end) in abbreviations(text).items()} == expected
