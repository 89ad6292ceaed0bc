"""Profiles as arrays: what was written is what is read, and bad files are refused."""

from pathlib import Path

import pytest

from envs.corpus import DiseaseProfile, FindingName
from envs.profiles import ProfileTable, build_profiles
from medrl.errors import DataError
from medrl.records import write_jsonl
from tests.envs.small import FINDINGS, PROFILES, write_knowledge


def test_every_figure_and_source_comes_back(table: ProfileTable) -> None:
    for column, finding in enumerate(FINDINGS):
        rows, probabilities = table.column(column)
        found = {table.ids[row]: value for row, value in zip(rows, probabilities, strict=True)}
        expected = {each.id: each.findings[finding.id][0] for each in PROFILES if finding.id in each.findings}
        assert found == expected
        for row, profile in enumerate(PROFILES):
            assert table.source(column, row) == profile.findings.get(finding.id, (0.0, None))[1]
    assert table.prior.tolist() == [1.0, 1.0, 3.0, 1.0] and table.names[1] == "Homocystinuria"


def test_names_synonyms_and_ids_resolve(table: ProfileTable) -> None:
    assert table.finding_table.find("spider fingers") == table.finding_table.find("HP:0001166") == (2,)
    assert table.finding_table.find("fit") == (3, 4)


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (DiseaseProfile("X", "x", {"HP:0": (0.5, "s")}), "X has HP:0, which findings.jsonl lacks"),
        (DiseaseProfile("X", "x", {"HP:0001250": (0.0, "s")}), r"P=0.0 is not in \(0, 1\]"),
        (DiseaseProfile("X", "x", {"HP:0001250": (1.0, "s")}, prior=0.0), "profile X: prior=0.0 is no positive number"),
        (
            DiseaseProfile("X", "x", {"HP:0001250": (1.0, "s")}, only_in={"HP:0001250": "m"}),
            "'m' is not male or female",
        ),
        (DiseaseProfile("X", "x", {}, absent={"HP:0": (0, "s")}), "X lacks HP:0, which findings.jsonl has not"),
    ],
)
def test_bad_profiles_are_refused(tmp_path: Path, profile: DiseaseProfile, said: str) -> None:
    write_knowledge(tmp_path)
    write_jsonl(tmp_path / "profiles.jsonl", [profile])
    with pytest.raises(DataError, match=said):
        build_profiles(tmp_path, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_parent_without_a_name_is_refused(tmp_path: Path) -> None:
    write_knowledge(tmp_path)
    write_jsonl(tmp_path / "findings.jsonl", [*FINDINGS, FindingName("HP:1", "one", (), ("HP:0",))])
    with pytest.raises(DataError, match="HP:1 is a kind of HP:0, which findings.jsonl lacks"):
        build_profiles(tmp_path, tmp_path / "out")


def test_missing_files_name_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"profiles\.jsonl.*build the knowledge folder again"):
        build_profiles(tmp_path, tmp_path)
    with pytest.raises(DataError, match="delete it to build it again"):
        ProfileTable(tmp_path)
