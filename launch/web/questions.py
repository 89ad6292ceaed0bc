"""The questions that a run's episodes are about."""

from pathlib import Path

from launch.run_files import read_questions
from launch.web.problems import Problem
from medrl.errors import UserError
from medrl.types import Question


class Questions:
    """By id. Read when they are first asked for, and again whenever an unknown one is asked for and files changed."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._by_id: dict[str, Question] = {}
        self._read_at: tuple[float, ...] | None = None
        self.problems: list[Problem] = []

    def get(self, question_id: str) -> Question | None:
        """None where the run's data has no such question."""
        if question_id not in self._by_id:
            self._read()
        return self._by_id.get(question_id)

    def _read(self) -> None:
        changed = tuple(_changed(self._run / name) for name in ("config.yaml", "data", "data/questions.jsonl"))
        if changed == self._read_at:
            return
        self._read_at = changed
        try:
            self._by_id = read_questions(self._run)
            self.problems = []
        except UserError as error:
            self.problems = [Problem("data/questions.jsonl", None, str(error))]


def _changed(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0
