"""Gates: demands on a dataset, each with the value that it has and the first questions that fail."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medrl.types import Question

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Gate:
    """One demand on a set: the share (or number) `value` must be at least, or at most, `bound`.

    `failed`: ids of the first questions that fail, with why.
    """

    name: str
    value: float
    bound: float
    at_least: bool
    n: int
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass(frozen=True, slots=True)
class QualityReport:
    """`composition`: hops, specialties, kinds of answers, and other counts of the set."""

    gates: tuple[Gate, ...]
    composition: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        return all(gate.passed for gate in self.gates)

    def as_json(self) -> dict[str, Any]:
        """Plain values for quality.json."""
        gates = [
            {
                "gate": gate.name,
                "passed": gate.passed,
                "value": round(gate.value, 6),
                "must_be": f"{'>=' if gate.at_least else '<='} {gate.bound:g}",
                "n": gate.n,
                "failed": dict(gate.failed),
            }
            for gate in self.gates
        ]
        return {"passed": self.passed, "gates": gates, "composition": dict(self.composition)}


def share_of(name: str, questions: Sequence[Question], fault: Callable[[Question], str | None]) -> Gate:
    """All questions must be free of the fault; the value is the share that is."""
    failed = _faults(questions, fault)
    return Gate(name, 1.0 - len(failed) / max(len(questions), 1), 1.0, True, len(questions), first_of(failed))


def none_of(name: str, questions: Sequence[Question], fault: Callable[[Question], str | None]) -> Gate:
    """No question may have the fault; the value is how many do."""
    failed = _faults(questions, fault)
    return Gate(name, float(len(failed)), 0.0, False, len(questions), first_of(failed))


def none_between(name: str, shared: set[str], n: int) -> Gate:
    """Nothing may be in both splits; the value is how much is."""
    return Gate(name, float(len(shared)), 0.0, False, n, first_of(dict.fromkeys(sorted(shared), "in both")))


def pairs_of(name: str, pairs: Sequence[tuple[str, str]], bound: float, n: int) -> Gate:
    """`pairs` (id, id it is like) may be at most `bound` of `n` questions."""
    return Gate(name, len(pairs) / max(n, 1), bound, False, n, first_of(dict(pairs)))


def _faults(questions: Sequence[Question], fault: Callable[[Question], str | None]) -> dict[str, str]:
    found = ((question.id, fault(question)) for question in questions)
    return {identifier: why for identifier, why in found if why is not None}


def first_of(failed: Mapping[str, str]) -> dict[str, str]:
    """The first few, for a person to look at."""
    return dict(list(failed.items())[:_SHOWN])
