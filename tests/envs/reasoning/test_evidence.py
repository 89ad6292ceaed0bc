"""Counts of patients, read from sentences: what is meant is read, and what may be meant otherwise is left out."""

import pytest

from envs.reasoning.evidence import Observation, read_observations

NAMES = {"Seizure": "HP:1", "Seizures": "HP:1", "Focal seizure": "HP:2", "Sjögren sign": "HP:3", "Hypotonia": "HP:4"}


def read(text: str) -> list[tuple[str, int, int]]:
    found = read_observations(text, "OMIM:1", NAMES, "PMID:1")
    assert all((each.disease_id, each.source) == ("OMIM:1", "PMID:1") for each in found)
    return [(each.finding, each.affected, each.examined) for each in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Seizures were seen in 6/10 patients.", [("HP:1", 6, 10)]),
        ("6 of 10 patients had seizures.", [("HP:1", 6, 10)]),
        ("Six out of the ten had SEIZURES.", [("HP:1", 6, 10)]),
        ("None of 12 had hypotonia.", [("HP:4", 0, 12)]),
        ("Hypotonia: 0/5.", [("HP:4", 0, 5)]),
        ("Focal seizures occurred in 3 / 4.", [("HP:2", 3, 4)]),
        ("Sjogren sign in 1/2.", [("HP:3", 1, 2)]),
        ("Seizures (6/10), hypotonia (7/9) and focal seizures (1/8) were common.",
         [("HP:1", 6, 10), ("HP:4", 7, 9), ("HP:2", 1, 8)]),
        ("6/10 had seizures and 2/10 hypotonia.", [("HP:1", 6, 10), ("HP:4", 2, 10)]),
        ("Seizures in 6/10. Hypotonia in 2/3; later he walked.", [("HP:1", 6, 10), ("HP:4", 2, 3)]),
        ("60% of 25 patients had seizures.", [("HP:1", 15, 25)]),
        ("Seizures (33.3%, n = 12).", [("HP:1", 4, 12)]),
        ("Seizures in 6/10 (p < 0.05).", [("HP:1", 6, 10)]),
    ],
)  # fmt: skip
def test_read(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Seizures are frequent.",
        "Seizures in 60%.",  # of how many?
        "Seizures in 60% of 25 patients, of 30 patients in all.",
        "Seizures were absent in 6/10.",
        "6/10 did not have seizures.",
        "Seizures in 11/10.",
        "Seizures in 0/0.",
        "Seizures in 120% of 10 patients.",
        "Seizures and hypotonia in 6/10.",
        "Seizures (6/10) and headache (7/10).",
        "Seizures, hypotonia (6/10, 7/10).",
        "Seizures since 3/7/2020.",
        "Seizures at 10.6/12 doses.",
        "Seizures in 1,200 of 3000.",
        "Seizures in 60% (n = 1,200).",
        "Seizures in 1,5% (n = 200).",
        "Seizures in 10-20% of 25 patients.",
        "Seizures in 10% to 20% of 25 patients.",
        "Seizures in >90% of 20 patients.",
        "Seizures in at least 6 of 10.",
        "Seizures in less than 50% of 10 patients.",
        "The seizurelike 6/10.",
        "Ataxia in 6/10.",
        "",
    ],
)
def test_left_out(text: str) -> None:
    assert read(text) == []


def test_no_names_no_observations() -> None:
    assert read_observations("Seizures in 6/10.", "OMIM:1", {}, "x") == []
    assert read_observations("Seizures in 6/10.", "OMIM:1", {" ": "HP:0"}, "x") == []


def test_an_observation_is_ready_for_a_context() -> None:
    assert read_observations("Hypotonia in 2/3.", "OMIM:1", NAMES, "PMID:5") == [
        Observation("OMIM:1", "HP:4", 2, 3, "PMID:5")
    ]
