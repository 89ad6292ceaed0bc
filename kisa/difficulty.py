"""Keep what is hard: a question that a solver answers half the time is made again with one hop more.

arXiv 2508.14880, KISA step 5: keep q if the best solver's accuracy is below 0.5, else regenerate at complexity + 1.

    <folder>/difficulty.jsonl     one line a question: what became of it, and every form that it had
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from kisa.solvers import Solver
from kisa.workshop import Made
from medrl.matching import answers
from medrl.sections.kisa import KisaConfig
from medrl.types import Question


class Fate(StrEnum):
    """What became of a question."""

    KEPT = "kept"
    TOO_EASY = "too easy, and could not be made harder"
    UNTESTED = "kept, though a solver could not be asked"


@dataclass(frozen=True, slots=True)
class Try:
    """One form of a question. `accuracy`: of each solver, in [0, 1]."""

    id: str
    text: str
    answer: str
    hops: int
    accuracy: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class History:
    """All forms of a question, in order; the last one is the one that was kept, if any was."""

    fate: Fate
    tries: tuple[Try, ...]


class Harder(Protocol):
    """Makes questions again."""

    def __call__(self, questions: Sequence[Question], round: int) -> Sequence[Made | None]:
        """For each question one through its anchor with one hop more, solved by the teacher; None if there is none."""


def accuracies(questions: Sequence[Question], solvers: Sequence[Solver], samples: int) -> dict[str, dict[str, float]]:
    """Question id -> accuracy of each solver. A question that one of them could not be asked is not among them."""
    found: dict[str, dict[str, float]] = {question.id: {} for question in questions}
    for solver in solvers:
        given = solver.solve(questions, samples)
        for question in questions:
            if question.id in given:
                right = [answers(said, question) for said in given[question.id]]
                found[question.id][solver.name] = sum(right) / len(right)
    return {each: by_solver for each, by_solver in found.items() if len(by_solver) == len(solvers)}


def calibrate(
    made: Sequence[Made], solvers: Sequence[Solver], harder: Harder, config: KisaConfig
) -> tuple[list[Made], list[History]]:
    """What is kept, in the order given, and the history of every question. Raises as the solvers and `harder` do."""
    current: list[Made | None] = list(made)
    histories = [History(Fate.KEPT, ()) for _ in made]
    open_places = list(range(len(made)))
    for round in range(config.regenerations + 1):
        asked = {place: each.question for place in open_places if (each := current[place]) is not None}
        measured = accuracies(list(asked.values()), solvers, config.solver_samples)
        easy: list[int] = []
        for place, question in asked.items():
            accuracy = measured.get(question.id)
            histories[place] = _with(histories[place], question, accuracy or {})
            if accuracy is None:
                histories[place] = replace(histories[place], fate=Fate.UNTESTED)
            elif max(accuracy.values()) >= config.too_easy:
                easy.append(place)
        open_places = []
        again = harder([asked[place] for place in easy], round) if round < config.regenerations else [None] * len(easy)
        for place, other in zip(easy, again, strict=True):
            current[place] = other
            if other is None:
                histories[place] = replace(histories[place], fate=Fate.TOO_EASY)
            else:
                open_places.append(place)
    return [each for each in current if each is not None], histories


def _with(history: History, question: Question, accuracy: Mapping[str, float]) -> History:
    this = Try(question.id, question.text, question.answer, question.hops, accuracy)
    return replace(history, tries=(*history.tries, this))
