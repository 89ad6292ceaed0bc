"""Which questions to draw next: those whose outcome is uncertain, easy strata first, nothing starved.

A group teaches only if its episodes differ. The chance that two episodes differ is 2p(1 − p) at pass rate p, so shares
and draws follow the expectation of that, under what the pass rates are believed to be:

    stratum (hop count)  ->  kind of chain (its predicates)  ->  question

Each level is a decayed Beta posterior whose prior mean is the level above, so that a question never seen is judged by
its like. It looks at the task term alone. Pure: randomness is an argument, and the state is JSON.
"""

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from medrl.errors import ConfigError, DataError
from medrl.sections.learning import CurriculumConfig
from medrl.types import Question, RolloutGroup

PRIOR_STRENGTH = 4.0
"""Episodes that a prior counts for."""
EASIER = 0.5
"""Prior pass rate of a stratum, relative to the next easier one; the easiest starts at the target."""
SHARPNESS = 2.0
"""Shares and draws go with the worth to this power: above 1 they prefer the best more than in proportion."""
LEAST_KEEP = 0.2
"""Chance that a question which is always or never solved is drawn in an epoch all the same."""


class Curriculum:
    """Pass-rate beliefs and the epoch of every stratum."""

    def __init__(self, strata: Sequence[int], config: CurriculumConfig) -> None:
        """`strata`: the hop counts there are. Raises ConfigError if the floors add up to more than 1."""
        if not strata:
            raise ConfigError("the curriculum has no questions: synthesise some first")
        self.strata = tuple(sorted(set(strata)))
        self.config = config
        if config.enabled and config.floor * len(self.strata) > 1.0:
            raise ConfigError(
                f"curriculum.floor={config.floor} for {len(self.strata)} hop counts adds up to more than 1: "
                f"use {1.0 / len(self.strata):.2f} or less"
            )
        self._counts: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])  # key -> [passed, total], decayed
        self._done: dict[int, set[str]] = {hops: set() for hops in self.strata}
        self._epochs: dict[int, int] = dict.fromkeys(self.strata, 0)

    def pass_rates(self) -> dict[int, float]:
        """The believed pass rate of every stratum (posterior mean)."""
        return {hops: a / (a + b) for hops in self.strata for a, b in [self._stratum_belief(hops)]}

    def shares(self) -> dict[int, float]:
        """The share of draws of every stratum: at least `floor`, summing to 1, most where the pass rate is near
        `target`. Equal shares if the curriculum is off."""
        if not self.config.enabled:
            return dict.fromkeys(self.strata, 1.0 / len(self.strata))
        worth = {hops: self._spread(*self._stratum_belief(hops)) for hops in self.strata}
        free = 1.0 - self.config.floor * len(self.strata)
        total = sum(worth.values())
        return {hops: self.config.floor + free * value / total for hops, value in worth.items()}

    def observe(self, groups: Sequence[RolloutGroup]) -> None:
        """Take in one step's scored groups: the task term alone. Raises ValueError on an episode without a reward."""
        by_hops: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
        by_kind: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        for group in groups:
            if not group.rollouts:  # an outage says nothing about the question
                continue
            if any(rollout.reward is None for rollout in group.rollouts):
                raise ValueError(f"a rollout of {group.question.id} has no reward: score it first")
            passed = sum(rollout.reward.task >= 0.5 for rollout in group.rollouts if rollout.reward is not None)
            for counts in (by_hops[group.question.hops], by_kind[_kind(group.question)]):
                counts[0] += passed
                counts[1] += len(group.rollouts)
            self._add(_key(group.question), passed, len(group.rollouts))
        for hops, (passed, total) in by_hops.items():
            self.observe_stratum(hops, passed, total)
        for kind, (passed, total) in by_kind.items():
            self._add(kind, passed, total)

    def observe_stratum(self, hops: int, passed: int, total: int) -> None:
        """Take in one step's result of a stratum: `passed` of `total` episodes. Older evidence weighs `decay` times
        what it did."""
        if hops not in self._done:
            raise ValueError(f"{hops} hops: the strata are {self.strata}")
        if not 0 <= passed <= total:
            raise ValueError(f"passed={passed} of total={total}: needs 0 <= passed <= total")
        self._add(f"hops:{hops}", passed, total)

    def sample(self, rng: random.Random, questions: Sequence[Question], n: int) -> list[Question]:
        """Draw `n` questions, in an order that mixes strata; no question twice in an epoch of its stratum.

        An epoch ends when all questions of the stratum were drawn or rested. At its start, questions that were always
        or never solved rest with a probability that grows with that certainty (at most 0.8); memory decays, so each
        comes back. A batch repeats a question only if `n` exceeds the questions there are.
        """
        by_hops: defaultdict[int, list[Question]] = defaultdict(list)
        for question in questions:
            by_hops[question.hops].append(question)
        unknown = sorted(set(by_hops) - set(self.strata))
        if unknown or not by_hops:
            raise ValueError(f"questions of {unknown or 'no'} hops: the strata are {self.strata}")
        if len({question.id for question in questions}) < len(questions):
            raise ValueError("two questions have one id: an epoch could not tell them apart")
        drawn: list[Question] = []
        taken: set[str] = set()
        while len(drawn) < n:
            if len(taken) == len(questions):
                taken = set()
            for hops, count in self._allot(rng, by_hops, taken, n - len(drawn)).items():
                for _ in range(count):
                    question = self._draw(rng, hops, by_hops[hops], taken)
                    taken.add(question.id)
                    drawn.append(question)
        rng.shuffle(drawn)
        return drawn

    def give_back(self, questions: Sequence[Question]) -> None:
        """Return drawn questions that could not be trained on (an outage) to this epoch."""
        for question in questions:
            self._done[question.hops].discard(question.id)

    def metrics(self) -> dict[str, float]:
        """`curriculum/{share,pass_rate,epoch}/<hops>`."""
        columns: dict[str, Mapping[int, float]] = {
            "share": self.shares(),
            "pass_rate": self.pass_rates(),
            "epoch": self._epochs,
        }
        return {
            f"curriculum/{name}/{hops}": float(values[hops]) for name, values in columns.items() for hops in self.strata
        }

    def state(self) -> dict[str, Any]:
        """Everything, as JSON values; `from_state` resumes from it without repeating a question."""
        return {
            "strata": list(self.strata),
            "counts": {key: list(counts) for key, counts in self._counts.items()},
            "done": {str(hops): sorted(ids) for hops, ids in self._done.items()},
            "epochs": {str(hops): epoch for hops, epoch in self._epochs.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], config: CurriculumConfig) -> "Curriculum":
        """Inverse of `state`. Raises DataError if it is not one."""
        try:
            curriculum = cls([int(hops) for hops in state["strata"]], config)
            for key, (passed, total) in state["counts"].items():
                curriculum._counts[str(key)] = [float(passed), float(total)]
            curriculum._done = {hops: set(state["done"][str(hops)]) for hops in curriculum.strata}
            curriculum._epochs = {hops: int(state["epochs"][str(hops)]) for hops in curriculum.strata}
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a curriculum state ({error!r}): resume from another checkpoint") from error
        return curriculum

    def _allot(
        self, rng: random.Random, by_hops: Mapping[int, Sequence[Question]], taken: set[str], n: int
    ) -> dict[int, int]:
        """Split `n` draws over the strata by systematic sampling (each count is its share rounded up or down), no
        stratum given more than it has left for this batch."""
        left = {hops: sum(question.id not in taken for question in each) for hops, each in by_hops.items()}
        shares = {hops: share for hops, share in self.shares().items() if left.get(hops)}
        scale = n / sum(shares.values())
        edge, passed, counts = rng.random(), 0.0, {}
        for hops, share in shares.items():
            begin, passed = math.ceil(passed - edge), passed + share * scale
            counts[hops] = min(left[hops], math.ceil(passed - edge) - begin)
        return counts

    def _draw(self, rng: random.Random, hops: int, questions: Sequence[Question], taken: set[str]) -> Question:
        done = self._done[hops]
        open_questions = [each for each in questions if each.id not in done and each.id not in taken]
        if not open_questions:
            self._begin_epoch(rng, hops, questions)
            free = [each for each in questions if each.id not in taken]
            open_questions = [each for each in free if each.id not in self._done[hops]] or free
        weights = [self._worth(question) for question in open_questions]
        question = rng.choices(open_questions, weights)[0]
        self._done[hops].add(question.id)
        return question

    def _begin_epoch(self, rng: random.Random, hops: int, questions: Sequence[Question]) -> None:
        self._epochs[hops] += 1
        rested = {each.id for each in questions if self.config.enabled and rng.random() > self._keep(each)}
        self._done[hops] = rested
        for each in questions:
            counts = self._counts.get(_key(each))
            if counts is not None:
                counts[:] = [value * self.config.decay for value in counts]

    def _keep(self, question: Question) -> float:
        """Chance to take part in an epoch: 1 for a question whose own record is mixed or empty."""
        passed, total = self._counts.get(_key(question), (0.0, 0.0))
        certain = total / (total + PRIOR_STRENGTH) * abs(2.0 * passed / total - 1.0) if total else 0.0
        return max(LEAST_KEEP, 1.0 - certain)

    def _worth(self, question: Question) -> float:
        if not self.config.enabled:
            return 1.0
        a, b = self._stratum_belief(question.hops)
        for key in (_kind(question), _key(question)):
            a, b = self._posterior(key, a / (a + b))
        return self._spread(a, b)

    def _spread(self, a: float, b: float) -> float:
        return max(math.pow(spread(a, b, self.config.target), SHARPNESS), 1e-9)

    def _stratum_belief(self, hops: int) -> tuple[float, float]:
        prior = self.config.target * math.pow(EASIER, self.strata.index(hops))
        return self._posterior(f"hops:{hops}", min(max(prior, 0.01), 0.99))

    def _posterior(self, key: str, prior_mean: float) -> tuple[float, float]:
        passed, total = self._counts.get(key, (0.0, 0.0))
        return PRIOR_STRENGTH * prior_mean + passed, PRIOR_STRENGTH * (1.0 - prior_mean) + total - passed

    def _add(self, key: str, passed: float, total: float) -> None:
        old = self._counts[key]
        self._counts[key] = [self.config.decay * old[0] + passed, self.config.decay * old[1] + total]


def spread(a: float, b: float, target: float) -> float:
    """E[ p^2t · (1 − p)^2(1 − t) ] for p ~ Beta(a, b): highest where p is near the target t.

    At t = 0.5 it is E[p(1 − p)], half the chance that two episodes differ.
    """
    more_a, more_b = 2.0 * target, 2.0 * (1.0 - target)
    log_value = _log_beta(a + more_a, b + more_b) - _log_beta(a, b)
    return math.exp(log_value)


def random_state(rng: random.Random) -> list[Any]:
    """The state of a generator, as JSON values."""
    version, numbers, gauss = rng.getstate()
    return [version, list(numbers), gauss]


def restore_random(rng: random.Random, state: Sequence[Any]) -> None:
    """Inverse of `random_state`. Raises DataError if it is not one."""
    try:
        version, numbers, gauss = state
        rng.setstate((version, tuple(numbers), gauss))
    except (TypeError, ValueError) as error:
        raise DataError(f"not the state of a random generator ({error}): resume from another checkpoint") from error


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _key(question: Question) -> str:
    return f"question:{question.id}"


def _kind(question: Question) -> str:
    return f"kind:{question.hops}:" + " > ".join(relation.predicate for relation in question.relations)
