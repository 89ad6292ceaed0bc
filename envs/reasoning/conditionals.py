"""P(finding | disease, context) of all diseases at once, from annotations, the hierarchy and counted patients.

A finding is present in a patient, and it is named so by whoever describes the patient. The two differ where a disease
is annotated with a narrower finding: it has the broader one at least as often, but is seldom described by it.

    presence(s | D) = max over the annotations a of D:       named(s | D) = the same, but
        P(a)                       a is s                        P(a) × NAMED_BROADER     a is narrower than s
        P(a)                       a is narrower than s
        P(a) × NARROWER_SHARE × mass(s) / mass(a)      a is broader than s
        the background             BACKGROUND_SHARE of the mean over all diseases, at least BACKGROUND_FLOOR

mass(s) is the sum over all diseases of the first two lines, so mass(s) / mass(a) is how much of a is s. A finding that
is stated is a factor named(s | D), one that is denied 1 − presence(s | D). No P is above CEILING: examiners overlook.

A disease known not to show a finding, or a broader one, and annotated with nothing narrower, has the background, pooled
with the patients that were counted without it, ABSENT_PATIENTS where nobody says how many. Evidence retrieved is pooled
with presence (`envs.reasoning.evidence`); a broader finding then has at least as much. Nothing is passed on to narrower
ones. A figure that is stated for the other sex than the context's is left out.

The constants are fitted by benchmarks/diagnosis.py --fit; max does as well as noisy-or there.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from envs.profiles import SEXES, Absence, Figure, Numbers, ProfileTable, Reals
from envs.reasoning.evidence import PRIOR_PATIENTS, Observation, pooled

NAMED_BROADER = 0.05
NARROWER_SHARE = 0.1
BACKGROUND_SHARE = 0.2
BACKGROUND_FLOOR = 1e-4
CEILING = 0.98
ABSENT_PATIENTS = 10

#: (finding's column, disease's row) -> what was observed.
Updates = Mapping[tuple[int, int], Sequence[Observation]]


class _Claim(NamedTuple):
    """One reason for a P, and what it says."""

    probability: float
    said: str


class Conditionals:
    """The factors under one context: `sex` ("", "male" or "female") and the evidence retrieved."""

    def __init__(self, table: ProfileTable, sex: str, updates: Updates) -> None:
        self._table = table
        self._sex = SEXES.index(sex)
        self._updates = updates
        self._known_once: dict[tuple[int, bool], Reals] = {}

    def factor(self, column: int, *, denied: bool) -> Reals:
        """named(s | D) of every disease, or 1 − presence(s | D) of a finding that is `denied` [diseases]."""
        probability = self._modelled(column, denied)
        for (updated, row), seen in self._updates.items():
            if updated != column and column not in self._table.above[updated]:
                continue
            observed = min(CEILING, pooled(float(self._modelled(updated, True)[row]), seen))
            if updated == column:
                probability[row] = observed
            elif (column, row) not in self._updates:
                probability[row] = max(probability[row], observed * _weight(denied))
        return 1.0 - probability if denied else probability

    def source(self, column: int, row: int, *, denied: bool) -> str:
        """Where a disease's factor comes from: the claim that prevails, then the evidence retrieved."""
        figures = [each for each in self._table.figures(row) if self._holds(each.only_in)]
        narrower, broader = set(self._table.below[column].tolist()), set(self._table.above[column].tolist())
        known = [self._claim(column, each, denied) for each in figures if each.column in narrower | {column}]
        wider = [self._claim(column, each, denied) for each in figures if each.column in broader]
        absence = self._absences(column).get(row)
        if absence is not None and not known:
            said = absence.source
        else:
            best = max(known + wider, default=None)
            low = best is None or best.probability < self._background(column, denied)
            stated = best.said if best else "not annotated"
            said = f"{stated}, background" if low else stated
        observed = [
            f"{seen.source} {seen.affected}/{seen.examined}"
            for (updated, where), some in self._updates.items()
            if where == row and (updated == column or column in self._table.above[updated])
            for seen in some
        ]
        return "; ".join([said, *observed])

    def _modelled(self, column: int, denied: bool) -> Reals:
        """P(s | D) without evidence retrieved [diseases]."""
        known = self._known(column, denied)
        background = self._background(column, denied)
        given = np.maximum(known, background)
        for broader in self._table.above[column]:
            rows, annotated = self._column(int(broader))
            given[rows] = np.maximum(given[rows], self._share(column, int(broader)) * annotated)
        for row, absence in self._absences(column).items():
            if known[row] == 0.0:
                given[row] = PRIOR_PATIENTS * background / (PRIOR_PATIENTS + _counted(absence))
        np.minimum(given, CEILING, out=given)
        return given

    def _known(self, column: int, denied: bool) -> Reals:
        """The greatest figure for a finding or a narrower one; 0 where there is none [diseases]."""
        found = self._known_once.get((column, denied))
        if found is None:
            found = np.zeros(len(self._table.ids))
            below = [self._column(int(each)) for each in self._table.below[column]]
            if below:
                rows, annotated = (np.concatenate(part) for part in zip(*below, strict=True))
                np.maximum.at(found, rows, _weight(denied) * annotated)
            rows, annotated = self._column(column)
            found[rows] = np.maximum(found[rows], annotated)
            self._known_once[column, denied] = found
        return found

    def _background(self, column: int, denied: bool) -> float:
        return max(BACKGROUND_FLOOR, BACKGROUND_SHARE * float(self._known(column, denied).mean()))

    def _share(self, column: int, broader: int) -> float:
        """How much of P(broader | D) a narrower finding gets."""
        mass = self._table.mass
        return NARROWER_SHARE * float(mass[column] / mass[broader]) if mass[broader] else 0.0

    def _column(self, column: int) -> tuple[Numbers, Reals]:
        """The annotations that hold in this context."""
        rows, annotated = self._table.column(column)
        only_in = self._table.only_in(column)
        if not self._sex or not only_in.any():
            return rows, annotated
        holds = (only_in == 0) | (only_in == self._sex)
        return rows[holds], annotated[holds]

    def _holds(self, only_in: int) -> bool:
        return not self._sex or only_in in (0, self._sex)

    def _absences(self, column: int) -> dict[int, Absence]:
        """What is known not to be shown, by disease: of several the one that most patients were counted for."""
        found: dict[int, Absence] = {}
        for each in (column, *self._table.above[column].tolist()):
            for absence in self._table.absent.get(each, ()):
                known = found.get(absence.row)
                if known is None or _counted(absence) > _counted(known):
                    found[absence.row] = absence
        return found

    def _claim(self, column: int, figure: Figure, denied: bool) -> _Claim:
        said, name = self._table.source_at(figure.place), self._table.findings[figure.column].name
        if figure.column == column:
            return _Claim(figure.probability, said)
        if figure.column in self._table.below[column]:
            weight = _weight(denied)
            return _Claim(weight * figure.probability, f"{name} {said}" + ("" if denied else f" ×{weight:g}"))
        share = self._share(column, figure.column)
        return _Claim(share * figure.probability, f"{name} {said} ×{share:.2g}")


def _weight(denied: bool) -> float:
    """What a narrower finding's figure counts for: it makes the broader one present, but seldom named."""
    return 1.0 if denied else NAMED_BROADER


def _counted(absence: Absence) -> int:
    return absence.examined or ABSENT_PATIENTS
