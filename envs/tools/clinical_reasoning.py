"""Differential diagnosis by Bayes' rule over findings taken as independent given the disease (arXiv:2508.14880).

    P(D_j | s, c) = Π_i P(s_i | D_j, c) · P(D_j | c) / Σ_k Π_i P(s_i | D_k, c) · P(D_k | c)

A finding that a disease is not annotated with is not impossible: its P is the finding's background, `BACKGROUND_SHARE`
of its mean over all diseases, and never below `BACKGROUND_FLOOR`. No annotated P is taken below the background.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.facts import ranking
from envs.profiles import Numbers, ProfileTable, Reals
from envs.snippets import CountTokens
from envs.text import estimate_tokens
from envs.tools.arguments import check_arguments, object_schema
from envs.tools.base import ToolResult

BACKGROUND_SHARE = 0.1
BACKGROUND_FLOOR = 1e-4
#: Weight on the prior of a disease whose inheritance or onset is stated otherwise, or not at all, than the context's.
CONTRADICTED = 0.1
UNSTATED = 0.5
#: How many patients an annotated probability counts for when new evidence is pooled with it.
PRIOR_PATIENTS = 2.0

_SHOWN = 3
_SUGGESTIONS = 3
_MOST_FINDINGS = 20


class UnknownFinding(ValueError):
    """A finding that no name fits, or that several fit. The message names the nearest."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Evidence retrieved: `affected` of `examined` patients with the disease had the finding, says `source`."""

    disease_id: str
    finding: str
    affected: int
    examined: int
    source: str


@dataclass(frozen=True, slots=True)
class Context:
    """What c holds. `inheritance` and `onset` are names as profiles have them; `observations` update P(s | D)."""

    inheritance: str | None = None
    onset: str | None = None
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True)
class Likelihood:
    """One factor P(finding | disease) and where it comes from."""

    finding_id: str
    finding: str
    probability: float
    source: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One disease of the differential."""

    disease_id: str
    name: str
    probability: float
    prior: float
    likelihoods: tuple[Likelihood, ...]


class ClinicalReasoningEngine:
    """P(disease | findings, context) over all diseases of a profile table."""

    def __init__(self, table: ProfileTable) -> None:
        self._table = table

    def resolve(self, finding: str) -> int:
        """The column of a finding given by id, name or synonym. Raises UnknownFinding."""
        columns = self._table.finding_table.find(finding)
        if len(columns) == 1:
            return columns[0]
        if columns:
            # A name outranks another finding's synonym.
            asked = finding.strip().casefold()
            called = [each for each in columns if self._table.findings[each].name.casefold() == asked]
            if len(called) == 1:
                return called[0]
            meant = "; ".join(self._table.findings[each].name for each in columns[:_SUGGESTIONS])
            raise UnknownFinding(f"{finding!r} may mean {meant}")
        near = "; ".join(self._table.finding_table.nearest(finding, _SUGGESTIONS))
        raise UnknownFinding(f"unknown finding {finding!r}; nearest: {near}")

    def posterior(
        self, findings: Sequence[str], candidates: Sequence[str] | None = None, context: Context | None = None
    ) -> "Posterior":
        """The differential among `candidates` (disease ids; None: all). Findings given twice count once.

        Raises UnknownFinding, and KeyError for a candidate or an observation about a disease that has no profile.
        """
        context = context or Context()
        table = self._table
        columns = list(dict.fromkeys(self.resolve(finding) for finding in findings))
        rows: Numbers = np.arange(len(table.ids))
        if candidates is not None:
            rows = np.array(sorted({table.row_of[each] for each in candidates}), np.int64)
        updates: dict[tuple[int, int], list[Observation]] = {}
        for seen in context.observations:
            updates.setdefault((self.resolve(seen.finding), table.row_of[seen.disease_id]), []).append(seen)
        prior = self._prior(context)[rows]
        prior = prior / prior.sum()
        log_joint = np.log(prior)
        factors: list[Reals] = []
        for column in columns:
            given = self._conditionals(column)
            for (updated, row), seen_here in updates.items():
                if updated == column:
                    given[row] = _pooled(given[row], seen_here)
            factors.append(given[rows])
            log_joint += np.log(given[rows])
        joint = np.exp(log_joint - log_joint.max())
        return Posterior(table, columns, rows, prior, joint / joint.sum(), factors, updates)

    def background(self, column: int) -> float:
        """P(finding | disease) where the disease is not annotated with it."""
        _, annotated = self._table.column(column)
        return max(BACKGROUND_FLOOR, BACKGROUND_SHARE * float(annotated.sum()) / len(self._table.ids))

    def _conditionals(self, column: int) -> Reals:
        """P(finding | disease) of every disease [diseases]."""
        rows, annotated = self._table.column(column)
        background = self.background(column)
        given = np.full(len(self._table.ids), background)
        given[rows] = np.maximum(annotated, background)
        return given

    def _prior(self, context: Context) -> Reals:
        """P(D | c) up to a factor [diseases]: prevalence weight × how well the disease fits the context."""
        prior = self._table.prior.copy()
        stated = ((context.inheritance, self._table.inheritance), (context.onset, self._table.onset))
        for wanted, known in stated:
            if wanted is not None:
                prior *= [1.0 if wanted in each else CONTRADICTED if each else UNSTATED for each in known]
        return prior


@dataclass(frozen=True, slots=True)
class Posterior:
    """A differential as arrays over the candidates: `rows`, `prior` and `probability`; the last two sum to 1."""

    table: ProfileTable
    columns: list[int]
    rows: Numbers
    prior: Reals
    probability: Reals
    factors: list[Reals]
    updates: Mapping[tuple[int, int], list[Observation]]

    def top(self, k: int) -> list[Diagnosis]:
        """The `k` likeliest, ties by row, each with its factors."""
        best = np.lexsort((self.rows, -self.probability))[:k]
        return [self._diagnosis(int(place)) for place in best]

    def _diagnosis(self, place: int) -> Diagnosis:
        row = int(self.rows[place])
        likelihoods = []
        for column, factor in zip(self.columns, self.factors, strict=True):
            finding = self.table.findings[column]
            said = [self.table.source(column, row) or "not annotated, background"]
            said += [f"{seen.source} {seen.affected}/{seen.examined}" for seen in self.updates.get((column, row), ())]
            likelihoods.append(Likelihood(finding.id, finding.name, float(factor[place]), "; ".join(said)))
        probability, prior = float(self.probability[place]), float(self.prior[place])
        return Diagnosis(self.table.ids[row], self.table.names[row], probability, prior, tuple(likelihoods))


def _pooled(probability: float, observations: Sequence[Observation]) -> float:
    """Posterior mean of a Beta whose prior has mean `probability` and weighs `PRIOR_PATIENTS` patients."""
    affected = sum(seen.affected for seen in observations)
    examined = sum(seen.examined for seen in observations)
    return (PRIOR_PATIENTS * probability + affected) / (PRIOR_PATIENTS + examined)


class ClinicalReasoning:
    """The tool `clinical_reasoning`."""

    name = "clinical_reasoning"
    description = "Rank diseases by the findings they show."
    parameters: Mapping[str, Any] = object_schema(
        findings={
            "type": "array",
            "items": {"type": "string", "pattern": r"\S", "maxLength": 200},
            "minItems": 1,
            "maxItems": _MOST_FINDINGS,
            "description": "names or HPO ids",
        }
    )

    def __init__(
        self, engine: ClinicalReasoningEngine, tool_tokens: int, count_tokens: CountTokens = estimate_tokens
    ) -> None:
        """`tool_tokens` bounds the text as `count_tokens` measures it."""
        self._engine = engine
        self._limit = tool_tokens
        self._count = count_tokens

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """The likeliest diseases, each with its probability and its factors; a mistake for an unknown finding."""
        mistake = check_arguments(self, arguments)
        if mistake is not None:
            return mistake
        try:
            posterior = self._engine.posterior(arguments["findings"])
        except UnknownFinding as error:
            return ToolResult.mistake(f"{self.name}: {error}.")
        diagnoses = posterior.top(_SHOWN)
        text, sources = self._render(diagnoses), tuple(each.disease_id for each in diagnoses)
        return ToolResult(text, sources, **ranking(text, arguments["findings"], sources))

    def _render(self, diagnoses: Sequence[Diagnosis]) -> str:
        """One line each, "1. Name (ID) P=0.82; Finding 0.60 (source); …", sharing the limit.

        Factors come first, sources where there is room left; factors that do not fit show as "…".
        """
        lines: list[str] = []
        left = self._limit
        for number, diagnosis in enumerate(diagnoses, start=1):
            room = left // (len(diagnoses) - number + 1)
            parts = [f"{number}. {diagnosis.name} ({diagnosis.disease_id}) P={_figure(diagnosis.probability)}"]
            for factor in diagnosis.likelihoods:
                parts.append(f"{factor.finding} {_figure(factor.probability)}")
                if self._count("; ".join(parts)) > room:
                    parts[-1] = "…"
                    break
            for place, factor in enumerate(diagnosis.likelihoods[: len(parts) - 1], start=1):
                sourced = [*parts[:place], f"{parts[place]} ({factor.source})", *parts[place + 1 :]]
                if parts[place] != "…" and self._count("; ".join(sourced)) <= room:
                    parts = sourced
            lines.append("; ".join(parts))
            left -= self._count(lines[-1])
        return "\n".join(lines)


def _figure(probability: float) -> str:
    return f"{probability:.2f}" if probability >= 0.01 else f"{probability:.0e}"
