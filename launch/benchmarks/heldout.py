"""Search, verify, synthesise in the episodes that `medrl eval` left of the run's own held-out questions."""

from launch.benchmarks.comparison import AGENTS, analysis_over
from launch.run_files import read_questions
from medrl.config import Config
from medrl.records import read_jsonl
from medrl.types import Rollout
from medrl.verification import Analysis, trace


def heldout_analyses(config: Config) -> list[tuple[str, Analysis]]:
    """Name and analysis of each model whose greedy episodes are there. Raises DataError."""
    found = []
    for part, name in AGENTS.items():
        path = config.run_path / "trajectories" / f"{part}.jsonl"
        if not path.exists():
            continue
        questions = read_questions(config.run_path)
        traced = [
            trace(rollout, question.text, question.hops, rollout.reward is not None and rollout.reward.task == 1.0)
            for rollout in read_jsonl(path, Rollout)
            if rollout.sample == 0 and (question := questions[rollout.question_id])
        ]
        kept = [each for each in traced if each is not None]
        found.append((name, analysis_over(kept, seed=config.seed, resamples=config.eval.bootstrap)))
    return found
