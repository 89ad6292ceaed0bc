"""What a dataset is made of: counts by hops, specialty, answer and tool, and what its teacher does."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from kisa.dataset import Dataset
from kisa.exploration import PAPER, habits
from kisa.recovery import recoveries
from kisa.tasks import task_of
from medrl.types import Rollout


def composition(dataset: Dataset) -> dict[str, Any]:
    """Plain values for quality.json."""
    questions = [*dataset.train, *dataset.heldout]
    calls = [sum(step.call is not None for step in rollout.steps) for rollout in dataset.trajectories]
    tools = Counter(step.call.name for rollout in dataset.trajectories for step in rollout.steps if step.call)
    return {
        "questions": len(questions),
        "train": len(dataset.train),
        "heldout": len(dataset.heldout),
        "trajectories": len(dataset.trajectories),
        "hops": _counts(question.hops for question in questions),
        "specialties": _counts(question.specialty for question in questions),
        "answers": _counts(question.relations[-1].object.kind for question in questions),
        "branches": _counts(len(question.branches) for question in questions),
        "tool_calls_mean": round(sum(calls) / max(len(calls), 1), 3),
        "tool_calls": _counts(calls),
        "tools": _counts(tools.elements()),
        "tasks": _counts(map(task_of, questions)),
        "habits": _habits(dataset.trajectories),
        "corruption": _corruption(dataset.trajectories),
    }


def _habits(rollouts: Sequence[Rollout]) -> dict[str, Any]:
    """What the episodes do, guided and exploring, beside what the paper sees in its exploration data."""
    by_origin = {origin: [each for each in rollouts if each.origin == origin] for origin in ("guided", "exploration")}
    counted = {origin: asdict(habits(episodes)) for origin, episodes in by_origin.items()}
    return {**counted, "paper": PAPER}


def _corruption(rollouts: Sequence[Rollout]) -> dict[str, Any]:
    """Outputs that were spoilt, and how many of them the teacher recovered from."""
    counted = recoveries(rollouts)
    return {
        **asdict(counted),
        "share": round(counted.corrupted / max(counted.outputs, 1), 4),
        "recovered": round(counted.recovered / max(counted.corrupted, 1), 4),
    }


def _counts(values: Iterable[Any]) -> dict[str, int]:
    return {str(value): count for value, count in sorted(Counter(values).items())}
