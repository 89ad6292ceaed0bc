"""Whole episodes on disk: runs/<name>/trajectories/<part>.jsonl, one medrl.types.Rollout a line.

Beside those of a GRPO step, <part>.tokens.jsonl: one LearntEpisode a line, for the episodes that it learnt from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Self

from medrl.packing import TrainSample
from medrl.records import write_jsonl
from medrl.types import RolloutGroup

DECIMALS = 4


@dataclass(frozen=True, slots=True)
class LearntEpisode:
    """What the learner made of an episode. `logprobs`: its own of the action tokens, in their order, before the step's
    update, in nats at the sampling temperature, rounded. The ratio to the sampler is exp(these less the Rollout's)."""

    question_id: str
    sample: int
    advantage: float
    logprobs: list[float]

    @classmethod
    def of(cls, sample: TrainSample, logprobs: Sequence[float]) -> Self:
        """`logprobs` run over all tokens of `sample`."""
        actions = [round(value, DECIMALS) for value in compress(logprobs, sample.action_mask)]
        return cls(sample.question_id, sample.sample, sample.advantage, actions)


class TrajectoryLog:
    """Writes a part at a time, whole or not at all; a part written again replaces the old one, which takes what was
    learnt from it along."""

    def __init__(self, run_path: Path) -> None:
        self._folder = run_path / "trajectories"

    def write(self, part: str, groups: Sequence[RolloutGroup]) -> Path:
        """Write the groups' episodes as `<part>.jsonl`; returns its path."""
        path = self._folder / f"{part}.jsonl"
        self._tokens(part).unlink(missing_ok=True)
        write_jsonl(path, _rollouts(groups))
        return path

    def write_learnt(self, part: str, learnt: Sequence[LearntEpisode]) -> Path:
        """Write `<part>.tokens.jsonl`, empty where nothing was learnt; returns its path."""
        path = self._tokens(part)
        write_jsonl(path, learnt)
        return path

    def _tokens(self, part: str) -> Path:
        return self._folder / f"{part}.tokens.jsonl"


def _rollouts(groups: Iterable[RolloutGroup]) -> Iterable[object]:
    return (rollout for group in groups for rollout in group.rollouts)
