import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.sentences import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two? Three!", ["One.", "Two?", "Three!"]),
        ("P was 0.05. Fig. 2 shows E. coli vs. S. aureus.", ["P was 0.05.", "Fig. 2 shows E. coli vs. S. aureus."]),
        ("It fell (see there.) Then it rose.", ["It fell (see there.)", "Then it rose."]),
        ("no end here\n  and\tblanks", ["no end here and blanks"]),
        ("i.e. this one. and that", ["i.e. this one. and that"]),
        ("", []),
        ("  ", []),
    ],
)
def test_where_a_sentence_ends(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected
    assert sentences(text, "AIM") == [f"AIM: {each}" for each in expected]


@given(st.text(alphabet="aB1. ?!()\n", max_size=200))
def test_nothing_is_lost_or_added(text: str) -> None:
    assert " ".join(sentences(text)) == " ".join(text.split())


@given(st.text(alphabet="ab ", min_size=900, max_size=5000))
def test_long_ones_are_cut_between_words(text: str) -> None:
    pieces = sentences(text)
    assert all(0 < len(piece) <= 1000 for piece in pieces)
    assert " ".join(pieces).replace(" ", "") == text.replace(" ", "")
    if max(map(len, text.split()), default=0) < 1000:
        assert " ".join(pieces) == " ".join(text.split())
