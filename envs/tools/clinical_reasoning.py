"""The tool over the reasoning engine: a differential in a few lines, within the tool's tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

from envs.facts import ranking
from envs.library import Library, UnknownDocument
from envs.reasoning.context import BadContext, Context
from envs.reasoning.engine import ClinicalReasoningEngine, UnknownFinding
from envs.reasoning.evidence import Observation
from envs.reasoning.posterior import Diagnosis, Posterior, figure_of_log
from envs.snippets import CountTokens
from envs.text import estimate_tokens
from envs.tools.arguments import check_arguments, object_schema
from envs.tools.base import ToolResult

_SHOWN = 3
_MOST_FINDINGS = 20


def _names(least: int, description: str) -> Mapping[str, Any]:
    return {
        "type": "array",
        "items": {"type": "string", "pattern": r"\S", "maxLength": 200},
        "minItems": least,
        "maxItems": _MOST_FINDINGS,
        "description": description,
    }


class ClinicalReasoning:
    """The tool `clinical_reasoning`."""

    name = "clinical_reasoning"
    description = "Rank diseases by the findings they show."
    parameters: Mapping[str, Any] = object_schema(
        findings=_names(1, "names or HPO ids"),
        optional={
            "absent": _names(0, "findings ruled out"),
            "documents": _names(0, "ids of studies to pool"),
            "sex": {"type": "string", "enum": ["male", "female"]},
            "onset": {"type": ["string", "number"], "maxLength": 100, "minimum": 0, "description": "age or HPO class"},
            "inheritance": {"type": "string", "maxLength": 100, "description": "as HPO names it"},
        },
    )

    def __init__(
        self,
        engine: ClinicalReasoningEngine,
        tool_tokens: int,
        count_tokens: CountTokens = estimate_tokens,
        *,
        library: Library | None = None,
    ) -> None:
        """`tool_tokens` bounds the text as `count_tokens` measures it. `library`: where evidence is read; None if there
        are no documents."""
        self._engine = engine
        self._library = library
        self._limit = tool_tokens
        self._count = count_tokens

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """The likeliest diseases, each with its probability and its factors; a mistake for what is not understood.

        Raises ToolOutage if a document's source cannot be reached.
        """
        mistake = check_arguments(self, arguments)
        if mistake is not None:
            return mistake
        onset, findings = arguments.get("onset"), arguments["findings"]
        try:
            observations = await self._evidence(arguments.get("documents", ()), findings)
        except (UnknownFinding, UnknownDocument) as error:
            return ToolResult.mistake(f"{self.name}: {error}.")
        context = Context(
            observations=observations,
            inheritance=arguments.get("inheritance"),
            onset=None if onset is None else str(onset),
            sex=arguments.get("sex"),
            absent=tuple(arguments.get("absent", ())),
        )
        try:
            posterior = self._engine.posterior(findings, context=context)
        except (UnknownFinding, BadContext) as error:
            return ToolResult.mistake(f"{self.name}: {error}.")
        diagnoses = self._fitting(posterior.top(_SHOWN))
        text, sources = self._render(posterior, diagnoses), tuple(each.disease_id for each in diagnoses)
        return ToolResult(text, sources, **ranking(text, findings, sources))

    async def _evidence(self, documents: Sequence[str], findings: Sequence[str]) -> tuple[Observation, ...]:
        """What the documents count. Raises UnknownFinding, UnknownDocument, also for one that counts nothing."""
        read: list[Observation] = []
        for name in dict.fromkeys(each.strip() for each in documents):
            if self._library is None:
                raise UnknownDocument(f"no document {name!r}: there are none here")
            document, _ = await self._library.find(name)
            diseases = self._engine.about(document)
            if not diseases:
                raise UnknownDocument(f"{name} is not about one disease that is known; leave it out")
            text = "\n".join(document.sections)
            counted = [one for each in diseases for one in self._engine.read(text, each, findings, document.id)]
            if not counted:
                raise UnknownDocument(f"{name} counts none of these findings; leave it out")
            read += counted
        return tuple(read)

    def _fitting(self, diagnoses: Sequence[Diagnosis]) -> Sequence[Diagnosis]:
        """As many of the likeliest as can be named within the limit, one at least."""
        kept = len(diagnoses)
        while kept > 1 and sum(self._count(f"{_whole(each)[0]}; …") + 2 for each in diagnoses[:kept]) > self._limit:
            kept -= 1
        return diagnoses[:kept]

    def _render(self, posterior: Posterior, diagnoses: Sequence[Diagnosis]) -> str:
        """One line each, "1. Name (ID) P=0.82; Finding 0.60 (source); …; prior 1e-04", sharing the limit, then their
        normaliser.

        Factors come first, then the priors and the normaliser, then sources, as far as there is room; factors that do
        not fit show as "…".
        """
        total = f"P = prior × factors / {figure_of_log(posterior.log_evidence)}, over {len(posterior.rows)} diseases"
        left = self._limit - self._count(total)
        if all(self._count("; ".join(_whole(each))) <= left // len(diagnoses) for each in diagnoses):
            return "\n".join([*self._lines(diagnoses, left, with_prior=True), total])
        return "\n".join(self._lines(diagnoses, self._limit, with_prior=False))

    def _lines(self, diagnoses: Sequence[Diagnosis], left: int, *, with_prior: bool) -> list[str]:
        lines: list[str] = []
        for number, diagnosis in enumerate(diagnoses, start=1):
            room = left // (len(diagnoses) - number + 1)
            head, *factors, prior = _whole(diagnosis)
            parts = [f"{number}. {head}"]
            for place, factor in enumerate(factors, start=1):
                parts.append(factor)
                gap = ["…"] if place < len(factors) else []
                if self._count("; ".join([*parts, *gap])) > room:
                    parts[-1] = "…"
                    break
            if with_prior:
                parts.append(prior)
            for place, likelihood in enumerate(diagnosis.likelihoods[: len(parts) - 1], start=1):
                sourced = [*parts[:place], f"{parts[place]} ({likelihood.source})", *parts[place + 1 :]]
                if parts[place] != "…" and self._count("; ".join(sourced)) <= room:
                    parts = sourced
            lines.append("; ".join(parts))
            left -= self._count(lines[-1])
        return lines


def _whole(diagnosis: Diagnosis) -> list[str]:
    """Head, factors and prior of a disease, without sources."""
    head = f"{diagnosis.name} ({diagnosis.disease_id}) P={_figure(diagnosis.probability)}"
    factors = [f"{each.label} {_figure(each.probability)}" for each in diagnosis.likelihoods]
    return [head, *factors, f"prior {_figure(diagnosis.prior)}"]


def _figure(probability: float) -> str:
    return f"{probability:.2f}" if probability >= 0.01 else f"{probability:.0e}"
