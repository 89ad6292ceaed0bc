"""A differential as arrays, and its arithmetic in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from math import log as ln

import numpy as np

from envs.profiles import Numbers, ProfileTable, Reals
from envs.reasoning.conditionals import Conditionals
from envs.reasoning.context import PriorFactor


@dataclass(frozen=True, slots=True)
class Likelihood:
    """One factor and where it comes from: P(finding | disease), or 1 − P where the finding is `denied`."""

    finding_id: str
    finding: str
    probability: float
    source: str
    denied: bool = False

    @property
    def label(self) -> str:
        return f"no {self.finding}" if self.denied else self.finding


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One disease of the differential. `log_joint`: ln of prior × likelihoods. `context`: (factor, weight, what it is
    from) of the prior before it was normalised."""

    disease_id: str
    name: str
    probability: float
    prior: float
    likelihoods: tuple[Likelihood, ...]
    log_joint: float
    context: tuple[tuple[str, float, str], ...]


@dataclass(frozen=True, slots=True)
class Posterior:
    """A differential over the candidates `rows`: `prior` and `probability` sum to 1.

    `columns`: (finding, denied) of each factor. `factors` [candidates, factors]. `log_joint` [candidates]: ln of the
    prior times its factors; `log_evidence`: ln of its sum, the normaliser.
    """

    table: ProfileTable
    conditionals: Conditionals
    columns: Sequence[tuple[int, bool]]
    rows: Numbers
    context: Sequence[PriorFactor]
    prior: Reals
    factors: Reals
    log_joint: Reals
    log_evidence: float
    probability: Reals

    def top(self, k: int) -> list[Diagnosis]:
        """The `k` likeliest, ties by row, each with its factors."""
        best = np.lexsort((self.rows, -self.probability))[:k]
        return [self._diagnosis(int(place)) for place in best]

    def explain(self, k: int) -> str:
        """The arithmetic of the `k` likeliest: prior and its weights, factors and their sources, joint, normaliser."""
        mass = float(np.prod([each.weights[self.rows] for each in self.context], axis=0).sum())
        lines = []
        for number, each in enumerate(self.top(k), start=1):
            weights = " × ".join(f"{name} {weight:g} ({said})" for name, weight, said in each.context)
            lines.append(f"{number}. {each.name} ({each.disease_id}) P={each.probability:.4g}")
            lines.append(f"   prior {each.prior:.4g} = {weights} / {mass:.6g}")
            for factor in each.likelihoods:
                kind = f"1 - P({factor.finding})" if factor.denied else f"P({factor.finding})"
                lines.append(f"   × {kind} {factor.probability:.4g} ({factor.source})")
            lines.append(f"   = joint {figure_of_log(each.log_joint)}; / {figure_of_log(self.log_evidence)}")
        lines.append(f"normaliser {figure_of_log(self.log_evidence)}: the joints of {len(self.rows)} diseases")
        return "\n".join(lines)

    def _diagnosis(self, place: int) -> Diagnosis:
        row = int(self.rows[place])
        likelihoods = []
        for (column, denied), factor in zip(self.columns, self.factors[place], strict=True):
            finding = self.table.findings[column]
            source = self.conditionals.source(column, row, denied=denied)
            likelihoods.append(Likelihood(finding.id, finding.name, float(factor), source, denied))
        return Diagnosis(
            self.table.ids[row],
            self.table.names[row],
            float(self.probability[place]),
            float(self.prior[place]),
            tuple(likelihoods),
            float(self.log_joint[place]),
            tuple((each.name, float(each.weights[row]), each.said[row]) for each in self.context),
        )


def figure_of_log(log: float) -> str:
    """e to the `log` with four digits, also where that is too small for a float: "1.234e-400"."""
    exponent = floor(log / ln(10))
    mantissa = 10 ** (log / ln(10) - exponent)
    if f"{mantissa:.3f}" == "10.000":
        mantissa, exponent = 1.0, exponent + 1
    return f"{mantissa:.3f}e{exponent:+03d}"
