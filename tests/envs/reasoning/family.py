"""Random small worlds for the engine: a hierarchy, profiles with absences and sexes, and a question about them."""

from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from envs.corpus import DiseaseProfile, FindingName
from envs.profiles import ProfileTable, build_profiles
from envs.reasoning import conditionals, evidence
from medrl.records import write_jsonl
from tests.oracles_diagnosis import Constants

CONSTANTS = Constants(
    conditionals.NAMED_BROADER,
    conditionals.NARROWER_SHARE,
    conditionals.BACKGROUND_SHARE,
    conditionals.BACKGROUND_FLOOR,
    conditionals.CEILING,
    conditionals.ABSENT_PATIENTS,
    evidence.PRIOR_PATIENTS,
)
MODES = ("Autosomal dominant inheritance", "X-linked recessive inheritance", "Y-linked inheritance")
ONSETS = ("Congenital onset", "Childhood onset", "Late onset")


@dataclass(frozen=True)
class World:
    findings: list[FindingName]
    profiles: list[DiseaseProfile]

    @property
    def parents(self) -> dict[str, tuple[str, ...]]:
        return {finding.id: finding.parents for finding in self.findings}

    def table(self, folder: Path) -> ProfileTable:
        write_jsonl(folder / "profiles.jsonl", self.profiles)
        write_jsonl(folder / "findings.jsonl", self.findings)
        return ProfileTable(build_profiles(folder, folder / "cache"))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Three to seven findings, each a kind of some before it; two to five diseases."""
    count = draw(st.integers(3, 7))
    ids = [f"HP:{number}" for number in range(count)]
    findings = [
        FindingName(each, f"finding {each}", (), tuple(sorted(draw(st.sets(st.sampled_from(ids[:place]), max_size=2)))))
        if place
        else FindingName(each, f"finding {each}")
        for place, each in enumerate(ids)
    ]
    profiles = []
    for number in range(draw(st.integers(2, 5))):
        annotated = draw(st.dictionaries(st.sampled_from(ids), st.sampled_from([1.0, 0.9, 0.5, 0.02]), min_size=1))
        absent = draw(st.dictionaries(st.sampled_from(ids), st.sampled_from([0, 3, 40]), max_size=2))
        profiles.append(
            DiseaseProfile(
                f"OMIM:{number}",
                f"disease {number}",
                {finding: (probability, f"PMID:{number} {probability}") for finding, probability in annotated.items()},
                tuple(draw(st.sets(st.sampled_from(MODES), max_size=2))),
                tuple(draw(st.sets(st.sampled_from(ONSETS), max_size=2))),
                draw(st.sampled_from([1.0, 10.0, 0.1])),
                {each: (examined, "PMID:0 none") for each, examined in absent.items() if each not in annotated},
                draw(st.dictionaries(st.sampled_from(sorted(annotated)), st.sampled_from(["male", "female"]))),
            )
        )
    return World(findings, profiles)
