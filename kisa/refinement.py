"""What language models add to a selection, where the configuration names any: words, difficulty, episodes.

    wording      each question in a model's words, and the teacher's episode for them
    difficulty   what a solver finds easy, made again with one hop more, and worded as well
    teacher      the model's episodes in place of the planner's, where they end right

What a model could not be asked stays as it was, and <folder>/set_aside.jsonl names it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from kisa.candidates import Wanted
from kisa.difficulty import Fate, History, calibrate
from kisa.graph import KnowledgeGraph
from kisa.inquiry import inquire
from kisa.solvers import EndpointSolver, PolicySolver, Solver
from kisa.wording import STAGE as WORDING
from kisa.wording import wording_items
from kisa.workshop import Crew, Made, Task
from medrl.errors import ConfigError
from medrl.progress import tracked
from medrl.records import write_jsonl
from medrl.sections.kisa import KisaConfig
from medrl.types import Question

#: Attempts that are left to the selection: making a question harder has others.
_FIRST_ATTEMPT = 1000


@dataclass
class Refinement:
    """`policy`: the model that may be one of the solvers. `folder` keeps what was said. `histories`: of `calibrate`."""

    config: KisaConfig
    graph: KnowledgeGraph
    crew: Crew
    policy: Path | None
    folder: Path
    histories: list[History] = field(default_factory=list)

    def refine(self, *splits: Sequence[Made]) -> list[list[Made]]:
        """What is left of each split, in order; none gets an answer that another one had.

        Raises ConfigError, InfrastructureError, ToolOutage.
        """
        refined = [self._word(made) for made in splits]
        solvers = self._solvers()
        for place, made in enumerate(refined if solvers else ()):
            others = {each.question.answer for other in refined if other is not made for each in other}
            known: set[object] = {key for each in made for key in (each.question.id, each.question.query)}
            refined[place], histories = calibrate(
                made, solvers, partial(self._harder, known=known, taken=others), self.config
            )
            self.histories += histories
        return refined

    def _solvers(self) -> list[Solver]:
        asked: list[Solver] = [EndpointSolver(each, self.folder) for each in self.config.solvers]
        if not self.config.policy_solves:
            return asked
        if self.policy is None:
            raise ConfigError("kisa.policy_solves needs the policy's folder: leave it false")
        return [*asked, PolicySolver(self.policy)]

    def _word(self, made: Sequence[Made]) -> list[Made]:
        """Reworded questions with a new episode; as they were where there is no rewording, it was not solved, or one
        search answers it."""
        if self.config.wording is None:
            return list(made)
        questions = [each.question for each in made]
        outcome = inquire(WORDING, self.config.wording, wording_items(self.graph, questions), self.folder)
        reworded = [replace(each, text=outcome.answers[each.id]) for each in questions if each.id in outcome.answers]
        playing = tracked(self.crew.play(reworded), "episodes", len(reworded), "episode", brief=False)
        played = [each for each in playing if each is not None and each.rollout is not None]
        better = {each.question.id: each for each in played}
        return [better.get(each.question.id, each) for each in made]

    def _harder(
        self, questions: Sequence[Question], round: int, *, known: set[object], taken: set[str]
    ) -> list[Made | None]:
        tasks = [
            Task(question.entities[0].id, _FIRST_ATTEMPT + round, Wanted(frozenset({question.hops + 1}), False, False))
            for question in questions
            if question.hops < self.config.max_hops
        ]
        made = iter(list(tracked(self.crew.make(tasks), "made harder", len(tasks), "question", brief=False)))
        found = [next(made) if question.hops < self.config.max_hops else None for question in questions]
        fit: list[Made | None] = []
        for before, after in zip(questions, found, strict=True):
            new = after is not None and after.rollout is not None and after.question.split == before.split
            fits = new and after is not None and after.question.answer not in taken
            if after is None or not fits or not known.isdisjoint((after.question.id, after.question.query)):
                fit.append(None)
            else:
                known |= {after.question.id, after.question.query}
                fit.append(after)
        worded = {each.question.id: each for each in self._word([each for each in fit if each is not None])}
        return [None if each is None else worded[each.question.id] for each in fit]


def write_histories(path: Path, histories: Sequence[History]) -> dict[str, int]:
    """One line a question, if there are any; returns how many had each fate."""
    if not histories:
        return {}
    write_jsonl(path, histories)
    return {fate.name.lower(): sum(each.fate is fate for each in histories) for fate in Fate}
