"""Exact look-up and nearest names."""

import pytest

from envs.names import NameTable

TABLE = NameTable(
    [("Pectus carinatum", 0), ("Pigeon chest", 0), ("Ectopia lentis", 1), ("Sjögren sign", 2), ("ectopia  LENTIS", 3)]
)


def test_find_ignores_case_accents_and_spacing() -> None:
    assert TABLE.find(" PIGEON  chest") == (0,)
    assert TABLE.find("sjogren sign") == (2,)
    assert TABLE.find("Ectopia lentis") == (1, 3)
    assert TABLE.find("Ectopia") == ()


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [("pectus carinatus", "Pectus carinatum"), ("Pigon chest", "Pigeon chest"), ("lentis ectopia", "Ectopia lentis")],
)
def test_nearest_mends_misspellings(asked: str, nearest: str) -> None:
    assert TABLE.nearest(asked, 2)[0] == nearest


def test_nearest_does_not_join_neighbouring_names() -> None:
    """Letter triples are counted within a name, not over the border to the next one in the table."""
    table = NameTable([("xxab", 0), ("cdxx", 1), ("abcd", 2)])
    assert table.nearest("abcd", 1) == ["abcd"]
    assert NameTable([]).nearest("abcd", 1) == []


def test_nearest_finds_one_among_many() -> None:
    table = NameTable((f"disorder of type {number}", number) for number in range(3000))
    assert table.nearest("disorder of tipe 1234", 1) == ["disorder of type 1234"]
