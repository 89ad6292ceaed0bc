"""Differential diagnosis by Bayes' rule over findings taken as independent given the disease (arXiv:2508.14880).

    P(D_j | s, c) = Π_i P(s_i | D_j, c) · P(D_j | c) / Σ_k Π_i P(s_i | D_k, c) · P(D_k | c)

Conditionals are in `envs.reasoning.conditionals`, priors in `envs.reasoning.context`.
"""

import re
from collections.abc import Sequence

import numpy as np

from envs.corpus import Document
from envs.profiles import Numbers, ProfileTable
from envs.reasoning.conditionals import Conditionals
from envs.reasoning.context import BadContext, Context, prior_factors
from envs.reasoning.evidence import Observation, read_observations
from envs.reasoning.posterior import Posterior

_SUGGESTIONS = 3
#: Words of a disease's name.
_LONGEST_NAME = 10


class UnknownFinding(ValueError):
    """A finding that no name fits, or that several fit. The message names the nearest."""


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

    def about(self, document: Document) -> list[str]:
        """Ids of the one disease that a document is about: itself, or what its title names, in every catalogue; [] if
        that is none, or several."""
        if document.id in self._table.row_of:
            return [document.id]
        pieces = re.findall(r"[^\s,.:;()\[\]]+", document.title)
        named: dict[str, tuple[int, ...]] = {}
        for start in range(len(pieces)):
            for stop in range(start + 1, min(len(pieces), start + _LONGEST_NAME) + 1):
                span = " ".join(pieces[start:stop])
                if rows := self._table.disease_table.find(span):
                    named[span.casefold()] = rows
        longest = [each for each in named if not any(each != other and each in other for other in named)]
        return [self._table.ids[row] for row in named[longest[0]]] if len(longest) == 1 else []

    def read(self, text: str, disease_id: str, findings: Sequence[str], source: str) -> tuple[Observation, ...]:
        """What a document about one disease says of how often it shows `findings`, under any of their names.

        Goes into `Context.observations`; see `envs.reasoning.evidence.read_observations`. Raises UnknownFinding.
        """
        called = [self._table.findings[self.resolve(each)] for each in findings]
        names = {name: each.id for each in called for name in (each.name, *each.synonyms)}
        return tuple(read_observations(text, disease_id, names, source))

    def posterior(
        self, findings: Sequence[str], candidates: Sequence[str] | None = None, context: Context | None = None
    ) -> Posterior:
        """The differential among `candidates` (disease ids; None: all). Findings given twice count once.

        Raises UnknownFinding, BadContext, ValueError if there is no candidate, and KeyError for a candidate or an
        observation about a disease that has no profile.
        """
        context = context or Context()
        table = self._table
        columns = self._columns(findings, context.absent)
        rows: Numbers = np.arange(len(table.ids))
        if candidates is not None:
            rows = np.array(sorted({table.row_of[each] for each in candidates}), np.int64)
        if not rows.size:
            raise ValueError("no candidates: a differential needs one disease at least")
        weights = prior_factors(table, context)
        updates: dict[tuple[int, int], list[Observation]] = {}
        for seen in context.observations:
            updates.setdefault((self.resolve(seen.finding), table.row_of[seen.disease_id]), []).append(seen)
        conditionals = Conditionals(table, context.sex or "", updates)
        factors = np.ones((len(rows), len(columns)))
        for place, (column, denied) in enumerate(columns):
            factors[:, place] = conditionals.factor(column, denied=denied)[rows]
        prior = np.prod([each.weights[rows] for each in weights], axis=0)
        prior /= prior.sum()
        in_order = sorted(range(len(columns)), key=columns.__getitem__)  # so that no order of findings rounds otherwise
        log_joint = np.log(prior) + np.log(factors[:, in_order]).sum(axis=1)
        most = float(log_joint.max())
        joint = np.exp(log_joint - most)
        total = float(joint.sum())
        log_evidence = most + float(np.log(total))
        return Posterior(
            table, conditionals, columns, rows, weights, prior, factors, log_joint, log_evidence, joint / total
        )

    def _columns(self, findings: Sequence[str], absent: Sequence[str]) -> list[tuple[int, bool]]:
        """(column, denied) of each finding, once. Raises UnknownFinding, BadContext if one is stated and denied."""
        stated = dict.fromkeys(map(self.resolve, findings), False)
        denied = dict.fromkeys(map(self.resolve, absent), True)
        for column in stated:
            for each in (column, *self._table.above[column].tolist()):
                if each in denied:
                    name, other = self._table.findings[column].name, self._table.findings[each].name
                    raise BadContext(f"{name!r} is stated and {other!r} is said to be absent; leave one out")
        return [*stated.items(), *denied.items()]
