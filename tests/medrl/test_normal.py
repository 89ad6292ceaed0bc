"""Normal forms: invariants, and what is found in running text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrl.normal import compact, date, identifiers, mentions, normalise, quantity

names = st.text(alphabet="abeIVXsα-' ,()/+1209éÆ", max_size=30)


@given(names)
def test_case_and_outer_space_never_matter(text: str) -> None:
    assert normalise(f"  {text}\n") == normalise(text)
    assert normalise(text.lower()) == normalise(text.title())


@given(names)
def test_a_text_mentions_what_it_contains(name: str) -> None:
    if normalise(name) and not name.strip().isupper():
        assert mentions(f"x1; {name}; z9", f"x1; {name}; z9")


@given(st.integers(0, 999), st.integers(0, 999), st.integers(0, 999), st.integers(0, 999))
def test_compact_keeps_numbers_apart(a: int, b: int, c: int, d: int) -> None:
    assert (compact(f"type {a} {b}") == compact(f"type {c} {d}")) == ((a, b) == (c, d))


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("Caused by variants in FBN1.", "FBN1", True),
        ("Caused by variants in FBN11.", "FBN1", False),
        ("a set of findings", "SET", False),
        ("the SET gene", "SET", True),
        ("Marfan’s syndrome (MIM 154700)", "Marfan syndrome", True),
        ("Ehlers–Danlos syndromes, Type IV", "Ehlers-Danlos syndrome type 4", True),
        ("neonatal Marfan", "Marfan syndrome", False),
        ("document omim:154700 says", "OMIM:154700", True),
        ("document omim:1547001 says", "OMIM:154700", False),
        ("anything", "", False),
        ("anything", "?", False),
    ],
)
def test_mentions(text: str, name: str, found: bool) -> None:
    assert mentions(text, name) is found


def test_identifiers_are_read_from_text_and_links() -> None:
    text = "see https://pubmed.ncbi.nlm.nih.gov/123/, OMIM #154700, HP_0001250 and doi 10.1000/ab.c."
    assert identifiers(text)[0] == {"PMID:123", "OMIM:154700", "HP:0001250", "DOI:10.1000/AB.C"}
    assert identifiers("NCT01234567") == (frozenset({"NCT:01234567"}), "")
    assert identifiers("FBN1") == (frozenset(), "FBN1")


@pytest.mark.parametrize("text", ["", "FBN1", "5 or 6", "1,23", "12 and", "/", "1/0", "22q11", "one two"])
def test_what_is_no_quantity(text: str) -> None:
    assert quantity(text) is None


@pytest.mark.parametrize("text", ["03/04/2021", "31 Foo 2021", "2021-13-01", "March", "", "12345"])
def test_what_is_no_date(text: str) -> None:
    assert date(text) is None


def test_dates() -> None:
    assert date("Sept. 3, 1999") == date("3 September 1999") == date("1999/9/3") == (1999, 9, 3)
    assert date("May 2000") == date("2000-05") == (2000, 5)
