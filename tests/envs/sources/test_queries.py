import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.sources.queries import one_line, terms


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("What causes TNF-alpha release in Sjögren's disease?", ["tnf-alpha", "release", "sjögren", "s", "disease"]),
        ('"aspirin" OR 1=1 [pt] NOT (x)', ["aspirin", "1", "pt", "x"]),
        ("heart* AND AREA[Phase]PHASE3", ["heart", "area", "phase", "phase3"]),
        ("who is the of", ["who", "is", "the", "of"]),
        ("AND OR not", []),
        ("拡張型心筋症 β2", ["拡張型心筋症", "β2"]),
        ("\ud800 \x00 ​!?", []),
    ],
)
def test_words_that_carry_meaning(query: str, expected: list[str]) -> None:
    assert terms(query) == expected


@given(st.text(max_size=300))
def test_nothing_of_a_query_language_gets_through(query: str) -> None:
    for term in terms(query):
        assert re.fullmatch(r"[^\W_]+(?:[-.][^\W_]+)*", term), term
        assert term not in ("and", "or", "not") and len(term) <= 120
        term.encode()  # no lone surrogate
    assert len(terms(query)) <= 12


@given(st.text(max_size=1000))
def test_a_line_is_one_and_can_be_sent(query: str) -> None:
    line = one_line(query)
    assert line.isprintable() and len(line) <= 400 and line == line.strip()
    line.encode()
