"""The posterior of a differential, one disease and one finding at a time, with loops and math.log only."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from envs.corpus import DiseaseProfile


@dataclass(frozen=True)
class Constants:
    """The model's constants, given, so that a test may vary them."""

    named_broader: float
    narrower_share: float
    background_share: float
    background_floor: float
    ceiling: float
    absent_patients: int
    prior_patients: float


@dataclass(frozen=True)
class Counted:
    """Of `examined` patients with `disease` `affected` had `finding`."""

    disease: str
    finding: str
    affected: int
    examined: int


class DiagnosisOracle:
    """P(D | s, c) from profiles and each finding's parents."""

    def __init__(
        self,
        profiles: Sequence[DiseaseProfile],
        parents: Mapping[str, Sequence[str]],
        constants: Constants,
        sex: str = "",
        counted: Sequence[Counted] = (),
    ) -> None:
        self.profiles, self.parents, self.constants = profiles, parents, constants
        self.sex, self.counted = sex, counted
        # The same for every disease, so worked out once.
        self.all_broader: dict[str, set[str]] = {}
        self.masses: dict[str, float] = {}
        self.backgrounds: dict[tuple[str, float], float] = {}

    def broader(self, finding: str) -> set[str]:
        if finding not in self.all_broader:
            found = set()
            for parent in self.parents[finding]:
                found |= {parent} | self.broader(parent)
            self.all_broader[finding] = found
        return self.all_broader[finding]

    def figure(self, profile: DiseaseProfile, finding: str) -> float:
        """What the disease is annotated with in this context; 0 if it is not."""
        if finding not in profile.findings:
            return 0.0
        only_in = profile.only_in.get(finding, "")
        return 0.0 if self.sex and only_in and only_in != self.sex else profile.findings[finding][0]

    def known(self, profile: DiseaseProfile, finding: str, narrower_weight: float) -> float:
        best = self.figure(profile, finding)
        for other in profile.findings:
            if finding in self.broader(other):
                best = max(best, narrower_weight * self.figure(profile, other))
        return best

    def mass(self, finding: str) -> float:
        if finding not in self.masses:
            self.masses[finding] = self.summed(finding)
        return self.masses[finding]

    def summed(self, finding: str) -> float:
        total = 0.0
        for profile in self.profiles:
            best = profile.findings.get(finding, (0.0,))[0]
            for other in profile.findings:
                if finding in self.broader(other):
                    best = max(best, profile.findings[other][0])
            total += best
        return total

    def background(self, finding: str, narrower_weight: float) -> float:
        if (finding, narrower_weight) not in self.backgrounds:
            total = sum(self.known(each, finding, narrower_weight) for each in self.profiles)
            share = self.constants.background_share * total / len(self.profiles)
            self.backgrounds[finding, narrower_weight] = max(self.constants.background_floor, share)
        return self.backgrounds[finding, narrower_weight]

    def modelled(self, profile: DiseaseProfile, finding: str, narrower_weight: float) -> float:
        own = self.constants
        background = self.background(finding, narrower_weight)
        known = self.known(profile, finding, narrower_weight)
        absences = [
            profile.absent[each][0] or own.absent_patients
            for each in {finding} | self.broader(finding)
            if each in profile.absent
        ]
        if absences and known == 0.0:
            return min(own.ceiling, own.prior_patients * background / (own.prior_patients + max(absences)))
        best = max(known, background)
        for broader in self.broader(finding):
            figure = self.figure(profile, broader)
            if figure > 0.0:
                best = max(best, own.narrower_share * self.mass(finding) / self.mass(broader) * figure)
        return min(own.ceiling, best)

    def probability(self, profile: DiseaseProfile, finding: str, narrower_weight: float) -> float:
        seen = {each.finding for each in self.counted if each.disease == profile.id}
        if finding in seen:
            return self.updated(profile, finding)
        best = self.modelled(profile, finding, narrower_weight)
        for other in seen:
            if finding in self.broader(other):
                best = max(best, narrower_weight * self.updated(profile, other))
        return best

    def updated(self, profile: DiseaseProfile, finding: str) -> float:
        here = [each for each in self.counted if (each.disease, each.finding) == (profile.id, finding)]
        patients = self.constants.prior_patients
        affected = patients * self.modelled(profile, finding, 1.0) + sum(each.affected for each in here)
        return min(self.constants.ceiling, affected / (patients + sum(each.examined for each in here)))

    def posterior(
        self,
        stated: Iterable[str],
        denied: Iterable[str] = (),
        weights: Mapping[str, float] | None = None,
        candidates: Sequence[str] | None = None,
    ) -> dict[str, float]:
        """`weights` multiply the profiles' priors."""
        logs = {}
        for profile in self.profiles:
            if candidates is not None and profile.id not in candidates:
                continue
            total = math.log(profile.prior * (weights or {}).get(profile.id, 1.0))
            for finding in stated:
                total += math.log(self.probability(profile, finding, self.constants.named_broader))
            for finding in denied:
                total += math.log(1.0 - self.probability(profile, finding, 1.0))
            logs[profile.id] = total
        most = max(logs.values())
        normaliser = sum(math.exp(each - most) for each in logs.values())
        return {disease: math.exp(each - most) / normaliser for disease, each in logs.items()}
