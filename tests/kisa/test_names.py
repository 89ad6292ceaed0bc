import pytest

from kisa.names import alike, natural_order, normalise, occurs


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("Corneal dystrophy, lattice type I", "Lattice corneal dystrophy type I", True),
        ("Sjögren-Larsson syndrome", "sjogren larsson syndrome", True),
        ("Noonan syndrome", "Noonan syndrome 1", False),
        ("Seckel syndrome 1", "Seckel syndrome 2", False),
    ],
)
def test_normalise(left: str, right: str, same: bool) -> None:
    assert (normalise(left) == normalise(right)) is same


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("Noonan syndrome", "Noonan syndrome 1", True),
        ("Xanthinuria", "Xanthinuria, type I", True),
        ("Charcot-Marie-Tooth disease, axonal, type 2N", "Trichothiodystrophy 8, nonphotosensitive", False),
        ("Pectus carinatum", "Marfan syndrome", False),
        ("Syndrome", "Disease", False),  # nothing telling in either
    ],
)
def test_alike(left: str, right: str, expected: bool) -> None:
    assert alike(left, right) is alike(right, left) is expected


def test_natural_order() -> None:
    assert natural_order("Agammaglobulinemia, X-linked") == "X-linked Agammaglobulinemia"
    assert natural_order("Epilepsy, infantile, 9") == "Epilepsy, infantile, 9"


def test_occurs_as_whole_words() -> None:
    assert occurs("Long fingers", "Who has long   fingers?")
    assert occurs("FBN1", "mutations of fbn1.")
    assert not occurs("FBN1", "mutations of FBN11")
    assert not occurs("Long fingers", "long thin fingers")
