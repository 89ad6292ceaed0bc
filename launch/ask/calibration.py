"""How often this agent was right on held-out questions when its samples agreed as much as they do now.

An evaluation leaves one greedy episode and m sampled ones of each held-out question, which is how a question is asked
here: so the first m + 1 samples of an answer can be compared with them, and no others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medrl.evaluation import wilson
from medrl.matching import same_answer
from medrl.records import read_jsonl
from medrl.types import Rollout
from medrl.voting import agree


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Of `n` held-out questions on which `votes` of `samples` samples agreed, the answer was right on `right`; with
    Wilson's 95% interval of their share."""

    votes: int
    samples: int
    right: int
    n: int
    low: float
    high: float

    def words(self, played: int) -> str:
        """For a reader who sees the answers of `played` samples."""
        ours = "as here" if played == self.samples else f"so the first {self.samples} of these {played} are compared"
        agreed = "no two of them give" if self.votes == 1 else f"{self.votes} of them give"
        return (
            "How far to trust that: held-out questions are ones that were made like the training questions and kept "
            f"out of training. The evaluation played {self.samples} samples of each, {ours}: {agreed} the same answer. "
            f"Where that was so on held-out questions, this agent was right in {self.right / self.n:.2f} of them "
            f"(95% interval {self.low:.2f} to {self.high:.2f}, n={self.n})."
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """`counts`: votes for the leading answer -> (questions where it was right, questions), of `samples` samples, those
    after the first drawn at `temperature`."""

    samples: int
    temperature: float
    counts: Mapping[int, tuple[int, int]]

    def of(self, answers: Sequence[str | None], temperature: float, answer: str) -> Calibrated | None:
        """For the `answers` of a question's samples, the greedy one's first, that came to `answer`.

        None where held-out questions say nothing about them: fewer samples, another temperature, another answer of the
        first of them than of all, or an agreement that did not occur.
        """
        if len(answers) < self.samples or temperature != self.temperature:
            return None
        found = agree(answers[: self.samples])
        if found.leader is None or not same_answer(found.leader.answer, answer):
            return None
        right, n = self.counts.get(found.votes, (0, 0))
        return Calibrated(found.votes, self.samples, right, n, *wilson(right, n)) if n else None


def read_calibration(run: Path, part: str, temperature: float) -> Calibration | None:
    """Of the run's evaluation of the checkpoint `part`, whose samples were drawn at `temperature`.

    None if it was not evaluated, or greedily alone. Raises DataError.
    """
    files = [run / "trajectories" / f"{name}.jsonl" for name in (part, f"{part}-sampled")]
    if not all(file.is_file() for file in files):
        return None
    episodes: dict[str, list[tuple[str | None, bool]]] = {}
    for file in files:
        for rollout in read_jsonl(file, Rollout):
            is_right = rollout.reward is not None and rollout.reward.task >= 1.0
            episodes.setdefault(rollout.question_id, []).append((rollout.answer, is_right))
    return calibrate(list(episodes.values()), temperature)


def calibrate(questions: Sequence[Sequence[tuple[str | None, bool]]], temperature: float) -> Calibration | None:
    """`questions`: of each, the episodes as (answer, whether it is right), the greedy one first.

    As many samples of each are taken as the question with fewest has; None if that is fewer than two.
    """
    samples = min((len(episodes) for episodes in questions), default=0)
    if samples < 2:
        return None
    right: Counter[int] = Counter()
    total: Counter[int] = Counter()
    for episodes in questions:
        found = agree([answer for answer, _ in episodes[:samples]])
        if found.leader is not None:
            total[found.votes] += 1
            right[found.votes] += episodes[found.leader.members[0]][1]
    return Calibration(samples, temperature, {votes: (right[votes], total[votes]) for votes in sorted(total)})
