"""Search, verify, synthesise in the episodes that `medrl eval` left of the run's own held-out questions."""

from collections.abc import Mapping
from pathlib import Path

from launch.benchmarks.comparison import AGENTS
from launch.run_files import read_questions
from medrl.config import Config
from medrl.errors import DataError
from medrl.records import read_jsonl
from medrl.types import Question, Rollout
from medrl.verification import Analysis, Traced, analyse, trace


def heldout_analyses(config: Config) -> list[tuple[str, Analysis]]:
    """Name and analysis of each model whose greedy episodes are there. Raises DataError."""
    folder = config.run_path / "trajectories"
    parts = {name: path for part, name in AGENTS.items() if (path := folder / f"{part}.jsonl").exists()}
    questions = read_questions(config.run_path) if parts else {}
    found = []
    for name, path in parts.items():
        traced = [_traced(rollout, questions, path) for rollout in read_jsonl(path, Rollout) if rollout.sample == 0]
        kept = [each for each in traced if each is not None]
        found.append((name, analyse(kept)))
    return found


def _traced(rollout: Rollout, questions: Mapping[str, Question], path: Path) -> Traced | None:
    question = questions.get(rollout.question_id)
    if question is None:
        raise DataError(f"{path}: question {rollout.question_id} has episodes, but is not in the run's data")
    is_correct = rollout.reward is not None and rollout.reward.task == 1.0
    return trace(rollout, question.text, question.hops, is_correct)
