"""Prevalence classes: spelt as people spell them, their weights in order, and tables that are refused."""

from pathlib import Path

import pytest

from kisa.sources.prevalence import PREVALENCE_WEIGHTS, read_prevalence
from medrl.errors import DataError


def write(folder: Path, *lines: str) -> Path:
    path = folder / "prevalence.tsv"
    path.write_text("\n".join(["disease\tprevalence", *lines]) + "\n", encoding="utf-8")
    return path


def test_classes_are_read_however_they_are_spaced(tmp_path: Path) -> None:
    path = write(
        tmp_path, "ORPHA:558\t1-5 / 10 000", "OMIM:1\t1-9/1 000 000", "OMIM:2\tunknown", "OMIM:1\t1-9 / 1 000 000"
    )
    assert read_prevalence(path) == {"ORPHA:558": "1-5 / 10 000", "OMIM:1": "1-9 / 1 000 000", "OMIM:2": "Unknown"}


def test_a_weight_is_the_geometric_mean_of_the_bounds() -> None:
    bounds = {
        ">1 / 1000": (1e-3, 1e-2),
        "6-9 / 10 000": (6e-4, 9e-4),
        "1-5 / 10 000": (1e-4, 5e-4),
        "1-9 / 100 000": (1e-5, 9e-5),
        "1-9 / 1 000 000": (1e-6, 9e-6),
        "<1 / 1 000 000": (1e-7, 1e-6),
    }
    for name, (low, high) in bounds.items():
        assert PREVALENCE_WEIGHTS[name] == pytest.approx((low * high) ** 0.5 / 3e-6, rel=0.06)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["ORPHA:558\t1 in 5000"], ":2: not a disease id and one of >1 / 1000; "),
        (["ORPHA:558"], ":2: not a disease id and one of"),
        (["ORPHA:558\tx\tUnknown"], ":2: not a disease id and one of"),
        (["OMIM:1\tUnknown", "OMIM:1\t>1 / 1000"], ":3: OMIM:1 is in two classes; keep one line of it"),
        ([], "no disease in it; list some, or set knowledge.prevalence=null"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(DataError) as raised:
        read_prevalence(write(tmp_path, *lines))
    assert said in str(raised.value)
    (tmp_path / "prevalence.tsv").write_text("id,class\n")
    with pytest.raises(DataError, match="the header is not disease prevalence"):
        read_prevalence(tmp_path / "prevalence.tsv")
    with pytest.raises(DataError, match="No such file"):
        read_prevalence(tmp_path / "missing.tsv")
