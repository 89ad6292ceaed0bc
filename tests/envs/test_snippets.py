"""Which sections are shown, and how they are cut."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.snippets import fit, snippet, wanted
from envs.text import estimate_tokens
from tests.envs.small import DOCUMENTS

MARFAN, CARINATUM = DOCUMENTS[0], DOCUMENTS[9]


def words_long(text: str) -> int:
    return len(text.split())


def show(query: str, limit: int = 40) -> str:
    want = wanted(query, MARFAN.title)
    return snippet(MARFAN.sections, want, lambda word: 1.0, limit, words_long)


@pytest.mark.parametrize(
    ("query", "opening"),
    [
        ("Marfan syndrome gene", "Gene: FBN1."),
        ("what mutation causes Marfan syndrome", "Gene: FBN1."),
        ("how is Marfan syndrome inherited", "Inheritance: "),
        ("Marfan syndrome ectopia lentis", "Ocular findings: "),
        ("arachnodactyly scoliosis", "Skeletal findings: "),
        ("Marfan syndrome", "Gene: FBN1."),
    ],
)
def test_the_section_asked_for_comes_first(query: str, opening: str) -> None:
    assert show(query).startswith(opening)


def test_two_sections_at_most_and_within_the_limit() -> None:
    assert show("Marfan syndrome gene inheritance") == "Gene: FBN1. Inheritance: Autosomal dominant."
    assert show("Marfan syndrome gene", limit=2) == "Gene: FBN1."
    assert show("Marfan syndrome gene", limit=1) == "Gene:…"
    assert show("Marfan syndrome gene", limit=0) == ""


def test_words_of_the_title_do_not_choose_items() -> None:
    want = wanted("Marfan syndrome retina disease", MARFAN.title)
    assert want.names == {"retina"} and {"disease", "seen"} <= want.labels


def test_a_long_list_keeps_the_items_asked_for() -> None:
    seen = CARINATUM.sections[0]
    want = wanted("pectus carinatum Coffin-Lowry", CARINATUM.title)
    assert fit(seen, want, 10, words_long) == "Seen in 9 diseases, among them: …; Coffin-Lowry syndrome; …"
    assert fit(seen, want, 13, words_long) == (
        "Seen in 9 diseases, among them: Noonan syndrome 1; …; Coffin-Lowry syndrome; …"
    )
    assert fit(seen, want, 100, words_long) == seen
    assert fit(seen, want, 6, words_long) == ""


@given(st.sampled_from(CARINATUM.sections + MARFAN.sections), st.text(max_size=30), st.integers(0, 60))
def test_a_cut_section_fits_and_invents_nothing(section: str, query: str, limit: int) -> None:
    cut = fit(section, wanted(query, "x"), limit, estimate_tokens)
    assert cut == "" or estimate_tokens(cut) <= limit
    assert all(piece.strip(" ;") in section for piece in cut.split("…"))


def test_sections_that_serve_alike_stand_in_their_own_order() -> None:
    """Sets are ordered by a hash that each process draws anew; a sum in that order would break ties by chance."""
    rng = random.Random(0)
    for _ in range(300):
        names = ["".join(rng.choices("bcdfgklmnprtvz", k=6)) for _ in range(rng.randint(3, 20))]
        weights = {name: rng.random() * 10 for name in names}
        sections = [f"{names[-1]}: {' '.join(names[-2::-1])}.", f"Obligate here, and there: {' '.join(names)}."]
        want = wanted(f"{' '.join(names)} elsewhere", "Other")
        said = snippet(sections, want, lambda word, by=weights: by[word], 99, words_long)
        assert said.startswith(sections[0])
