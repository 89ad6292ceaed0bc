"""Which candidates are taken: the numbers of a split by hops, by specialty and by special form."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tqdm import tqdm

from kisa.candidates import Wanted
from kisa.guidance import mask
from medrl.sections import KisaConfig
from medrl.types import Question, Rollout, Split

#: Questions with one answer, at most: no answer is worth learning by heart.
_SAME_ANSWER = 2


@dataclass
class Selection:
    """Questions of one split, up to the wanted numbers.

    `quotas`: hops -> how many are missing. `share`: questions of one specialty, at most, while others have seeds left.
    """

    split: Split
    total: int
    quotas: dict[int, int]
    differential: int
    lay: int
    share: int
    questions: list[Question] = field(default_factory=list)
    rollouts: list[Rollout] = field(default_factory=list)
    unsolved: int = 0
    _known: set[object] = field(default_factory=set)
    _answers: Counter[str] = field(default_factory=Counter)
    _specialties: Counter[str] = field(default_factory=Counter)

    @property
    def wanted(self) -> Wanted:
        """What is still missing."""
        hops = frozenset(hops for hops, count in self.quotas.items() if count > 0)
        return Wanted(hops, self.differential > 0, self.lay > 0)

    @property
    def is_full(self) -> bool:
        return len(self.questions) == self.total

    def has_enough(self, specialty: str) -> bool:
        """Whether the specialty has its share."""
        return self._specialties[specialty] >= self.share

    def may_take(self, question: Question) -> bool:
        """Whether the question is of this split, fits the numbers, and neither it nor its answer was asked for
        often enough."""
        return (
            question.split == self.split
            and not self.is_full
            and self.quotas.get(question.hops, 0) > 0
            and not self.has_enough(question.specialty)
            and question.query not in self._known
            and self._answers[question.answer] < _SAME_ANSWER
        )

    def refuse(self, answers: Iterable[str]) -> None:
        """Ask for none of `answers`."""
        self._answers.update(dict.fromkeys(answers, _SAME_ANSWER))

    def take(self, question: Question, rollout: Rollout) -> None:
        """Add one that `may_take` allows, with the teacher's episode."""
        self._known.add(question.query)
        self._answers[question.answer] += 1
        self._specialties[question.specialty] += 1
        self.questions.append(question)
        self.rollouts.append(rollout)
        self.quotas[question.hops] -= 1
        self.differential -= bool(question.clues)
        self.lay -= mask(question)[0].relation == "lay_term_of"

    def reopen(self) -> None:
        """Let any length and any specialty fill what is missing: the data hold too few of the wanted ones."""
        missing = self.total - len(self.questions)
        if missing:
            tqdm.write(
                f"{self.split}: {missing} questions may have any length and specialty, too few have the wanted ones"
            )
        self.quotas = dict.fromkeys(self.quotas, missing)
        self.share = self.total


def select_for(config: KisaConfig, split: Split, specialties: int) -> Selection:
    """An empty selection with the numbers of `config`, spread evenly over `specialties`."""
    total = config.train_questions if split == "train" else config.heldout_questions
    return Selection(
        split,
        total,
        quotas(config, total),
        round(total * config.differential_fraction),
        round(total * config.lay_fraction),
        -(-total // max(specialties, 1)),
    )


def quotas(config: KisaConfig, total: int) -> dict[int, int]:
    """How many of `total` questions have each number of hops; the largest share takes what rounding leaves."""
    shares = {hops: config.hop_shares.get(hops, 0.0) for hops in range(config.min_hops, config.max_hops + 1)}
    whole = sum(shares.values())
    counts = {hops: int(total * share / whole) for hops, share in shares.items()}
    counts[max(shares, key=lambda hops: shares[hops])] += total - sum(counts.values())
    return counts
