"""r_expert learnt from clinicians' ratings: a Bradley–Terry model of which of two episodes of a question is better.

An episode is its `FEATURES`, countable facts of `medrl.rewards`, each in [0, 1]. That `first` beats `second` has the
log-odds w·(x_first − x_second) (Bradley and Terry 1952; a tie counts half for each). The weights are the most likely
ones under a Gaussian prior around the built-in rubric's (`PRIOR`, `PRIOR_PRECISION`), so that without ratings r_expert
is the rubric, and few ratings move it little. They minimise

    loss(w) = Σ_n c_n [log(1 + e^z_n) − y_n z_n] + ρ/2 |w − w_0|²,   z_n = w·(x_first,n − x_second,n)

within bounds (`LOWER`, `UPPER`): no weight of evidence below a fifth of the rubric's, none of waste above 0, and none
so far below that one wasted turn (a quarter) takes more than the least that all evidence is worth. What is no feature
cannot be paid for: length, the number of calls, how many sources are named. So ratings move emphasis, and cannot teach
a policy to be paid without the work, nor to leave it for fear of a slip (tests/medrl/test_preferences.py).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrl.evaluation import bootstrap_mean
from medrl.rewards import (
    CHAIN_WEIGHT,
    CITATION_WEIGHT,
    SUPPORT_WEIGHT,
    WASTED_CALLS_AT_FULL_PENALTY,
    expert_rubric,
    task_reward,
    waste,
)
from medrl.seeds import derive_seed
from medrl.types import Question, Rollout

Vector = NDArray[np.float64]

FEATURES = ("supported", "chain", "cited", "correct", "mistakes", "repeats", "late", "irrelevant")
"""The rubric's parts (`RubricScore`), the correct answer, and wasted turns by kind (`Waste`) over 4, at most 1."""
FEATURE_VERSION = 1
"""Of `features`: ratings of another version are not comparable. A test holds the values of known episodes."""
PRIOR_SCALE = 4.0
"""Log-odds that the rubric's best episode beats its worst: 55 to 1."""
PRIOR: Vector = PRIOR_SCALE * np.array([SUPPORT_WEIGHT, CHAIN_WEIGHT, CITATION_WEIGHT, 0.0, 0.0, 0.0, 0.0, 0.0])
PRIOR_PRECISION = 10.0
"""ρ: one comparison moves a weight by a tenth at most, against prior weights of 0.8 to 2."""
_LEAST: Vector = PRIOR[:3] / 5.0
LOWER: Vector = np.array([*_LEAST, 0.0, *([-WASTED_CALLS_AT_FULL_PENALTY * math.fsum(_LEAST)] * 4)])
UPPER: Vector = np.array([*([np.inf] * 4), *([0.0] * 4)])
FOLDS = 5


def features(question: Question, rollout: Rollout) -> Vector:
    """`FEATURES` of an episode, each in [0, 1]. Where there is no chain, the rubric's other two stand for it."""
    rubric = expert_rubric(rollout, question)
    counts = waste(rollout, question)
    turns = (counts.mistakes, counts.repeats, counts.late, counts.irrelevant)
    return np.array(
        [
            rubric.supported,
            rubric.score if rubric.chain is None else rubric.chain,
            rubric.cited,
            task_reward(rollout, question),
            *(min(1.0, count / WASTED_CALLS_AT_FULL_PENALTY) for count in turns),
        ]
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two episodes of a question by their features; `outcome` is 1 where the first is better, 0 the second, 0.5 a tie.
    `weight`: how much of a comparison it is (c)."""

    question_id: str
    first: Vector
    second: Vector
    outcome: float
    weight: float = 1.0


@dataclass(frozen=True)
class LearntExpert:
    """Rates an episode in [0, 1] by fitted weights: (w·x − least) / (most − least), the extremes over all x in [0, 1].

    Linear, so it neither saturates nor changes an order. With the prior's weights it is the rubric.
    """

    weights: tuple[float, ...]

    def __call__(self, question: Question, rollout: Rollout) -> float:
        return self.rate(features(question, rollout))

    def rate(self, found: Vector) -> float:
        """The rating of an episode with these features."""
        least = math.fsum(min(weight, 0.0) for weight in self.weights)
        most = math.fsum(max(weight, 0.0) for weight in self.weights)
        return min(1.0, max(0.0, (self._worth(found) - least) / (most - least)))

    def prefers(self, comparison: Comparison) -> float:
        """1.0 if it ranks the first above the second, 0.0 the other way round, 0.5 if it sees no difference."""
        margin = self._worth(comparison.first) - self._worth(comparison.second)
        return 0.5 if abs(margin) < 1e-12 else float(margin > 0.0)

    def _worth(self, found: Vector) -> float:
        """w·x, log-odds."""
        return math.fsum(weight * value for weight, value in zip(self.weights, found.tolist(), strict=True))


RUBRIC = LearntExpert(tuple(PRIOR.tolist()))


def fit(comparisons: Sequence[Comparison]) -> LearntExpert:
    """The most likely weights within the bounds. Newton steps on the coordinates that are not held at a bound, halved
    until the loss falls by enough (Bertsekas 1982): deterministic and exact, as the loss is strictly convex."""
    differences = np.array([each.first - each.second for each in comparisons]).reshape(-1, len(FEATURES))
    outcomes = np.array([each.outcome for each in comparisons])
    counts = np.array([each.weight for each in comparisons])
    weights = np.clip(PRIOR, LOWER, UPPER)
    for _ in range(100):
        value, gradient, hessian = _loss(weights, differences, outcomes, counts)
        held = ((weights <= LOWER) & (gradient > 0.0)) | ((weights >= UPPER) & (gradient < 0.0))
        free = np.flatnonzero(~held)
        if free.size == 0 or np.abs(gradient[free]).max() < 1e-10:
            break
        step = np.zeros_like(weights)
        step[free] = np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        for halving in range(60):
            moved = np.clip(weights - step / 2.0**halving, LOWER, UPPER)
            if _loss(moved, differences, outcomes, counts)[0] <= value - 1e-4 * float(gradient @ (weights - moved)):
                break
        if np.array_equal(moved, weights):  # to rounding
            break
        weights = moved
    return LearntExpert(tuple(weights.tolist()))


def _loss(weights: Vector, differences: Vector, outcomes: Vector, counts: Vector) -> tuple[float, Vector, Vector]:
    """The module's loss, its gradient and its Hessian."""
    margins = differences @ weights
    chances = np.exp(-np.logaddexp(0.0, -margins))
    away = weights - PRIOR
    value = float(counts @ (np.logaddexp(0.0, margins) - outcomes * margins))
    gradient = differences.T @ (counts * (chances - outcomes)) + PRIOR_PRECISION * away
    curvature = (differences.T * (counts * chances * (1.0 - chances))) @ differences
    hessian = curvature + PRIOR_PRECISION * np.eye(len(weights))
    return value + PRIOR_PRECISION / 2.0 * float(away @ away), gradient, hessian


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Share of verdicts other than ties that are foretold, mean over questions, and its 95% interval: by weights fitted
    to other questions, by the rubric, and the first minus the second."""

    questions: int
    learnt: tuple[float, float, float]
    rubric: tuple[float, float, float]
    difference: tuple[float, float, float]


def held_out(comparisons: Sequence[Comparison], *, seed: int, resamples: int) -> HeldOut | None:
    """Cross-validated accuracy; questions are the folds' unit, dealt out by a hash. None with fewer than two questions
    that have a verdict, as nothing can be held out then."""
    decided = [each for each in comparisons if each.outcome != 0.5]
    ids = sorted({each.question_id for each in decided}, key=lambda each: (derive_seed(seed, "fold", each), each))
    if len(ids) < 2:
        return None
    fold_of = {each: index % FOLDS for index, each in enumerate(ids)}
    experts = {
        fold: fit([each for each in comparisons if fold_of.get(each.question_id) != fold])
        for fold in range(min(FOLDS, len(ids)))
    }
    learnt, rubric = [], []
    for of in ids:
        mine = [each for each in decided if each.question_id == of]
        learnt.append(_accuracy(experts[fold_of[of]], mine))
        rubric.append(_accuracy(RUBRIC, mine))

    def interval(name: str, values: Sequence[float]) -> tuple[float, float, float]:
        return bootstrap_mean(values, rng=np.random.default_rng(derive_seed(seed, name)), n=resamples)

    differences = np.subtract(learnt, rubric).tolist()
    return HeldOut(
        len(ids), interval("held out", learnt), interval("held out", rubric), interval("held out", differences)
    )


def _accuracy(expert: LearntExpert, comparisons: Sequence[Comparison]) -> float:
    """Weighted share of verdicts foretold; half for one on which it has no opinion."""
    total = sum(each.weight for each in comparisons)
    right = sum(each.weight * (1.0 - abs(expert.prefers(each) - each.outcome)) for each in comparisons)
    return right / total
