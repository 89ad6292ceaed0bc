"""Sections: clean, bounded, and nothing lost that there is room for."""

from hypothesis import given
from hypothesis import strategies as st

from envs.reading.pieces import Piece, Pieces, clean, sections, title_of

TEXT = st.text(alphabet="ab. é字\u202e\u200b\0\n", max_size=300)


@given(st.lists(st.builds(Piece, TEXT, TEXT), max_size=8), st.integers(1, 6), st.integers(100, 200))
def test_sections_are_bounded_and_clean(pieces: list[Piece], most: int, longest: int) -> None:
    found = sections(pieces, most, longest)
    assert len(found) <= most and len(set(found)) == len(found)
    assert all(section and len(section) <= longest and section == clean(section) for section in found)


@given(st.lists(TEXT, max_size=8))
def test_with_room_no_letter_is_lost(texts: list[str]) -> None:
    unique = [f"{number} {text}" for number, text in enumerate(texts)]
    found = "".join(sections([Piece("", text) for text in unique], 1_000, 100))
    kept = [letter for letter in found if letter not in " ;"]
    assert kept == [letter for text in unique for letter in clean(text) if letter not in " ;"]


def test_short_paragraphs_are_joined_under_their_heading_alone() -> None:
    pieces = [Piece("Signs", "Lens"), Piece("Signs", "Aorta."), Piece("Signs", "Skin"), Piece("Gene", "FBN1")]
    assert sections(pieces, 10, 400) == ["Signs: Lens; Aorta. Skin", "Gene: FBN1"]


def test_long_paragraphs_are_parted_at_the_ends_of_sentences() -> None:
    text = "This is a sentence of forty letters, ok. " * 5
    assert sections([Piece("H", text)], 10, 100) == [f"H: {text[:81].strip()}", f"H: {text[:40]}"]


def test_unseen_letters_go_and_spaces_of_all_kinds_are_one() -> None:
    assert clean("a\u202eb\u200bc\u00ad \u2028d\u00a0e\x1b[31mf\ue000\U000e0041") == "abc d e[31mf"
    assert title_of(Pieces("\u202eT\u200b " * 500, ())) == "T " * 59 + "T…"
