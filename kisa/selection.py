"""Which candidates are taken: the numbers of a split by hops, by specialty and by special form."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tqdm import tqdm

from kisa.candidates import Wanted
from kisa.guidance import mask
from kisa.workshop import Made
from medrl.sections.kisa import KisaConfig
from medrl.types import Question, Rollout, Split

#: Questions with one answer, at most: no answer is worth learning by heart.
_SAME_ANSWER = 3


@dataclass
class Selection:
    """Questions of one split, up to the wanted numbers.

    `quotas`: specialty -> hops -> how many are missing. Each specialty has its own, or those with many long chains
    would leave the others no short ones.
    """

    split: Split
    total: int
    quotas: dict[str, dict[int, int]]
    differential: int
    lay: int
    questions: list[Question] = field(default_factory=list)
    rollouts: list[Rollout] = field(default_factory=list)
    unsolved: int = 0
    _known: set[object] = field(default_factory=set)
    _answers: Counter[str] = field(default_factory=Counter)
    _open: bool = False
    _on_chains: set[str] = field(default_factory=set)

    def wanted(self, specialty: str) -> Wanted:
        """What the specialty still lacks."""
        hops = frozenset(hops for hops, count in self.quotas[specialty].items() if count > 0)
        return Wanted(hops, self.differential > 0, self.lay > 0)

    @property
    def made(self) -> list[Made]:
        """What was taken, in order."""
        return [Made(*each) for each in zip(self.questions, self.rollouts, strict=True)]

    @property
    def missing(self) -> int:
        """Questions still to be taken."""
        return self.total - len(self.questions)

    def has_enough(self, specialty: str) -> bool:
        """Whether nothing more is wanted of the specialty."""
        return not any(count > 0 for count in self.quotas[specialty].values())

    def may_take(self, question: Question) -> bool:
        """Whether the question is of this split, fits the numbers, and neither it nor its answer was asked for
        often enough."""
        return (
            question.split == self.split
            and self.missing > 0
            and self.quotas[question.specialty].get(question.hops, 0) > 0
            and self._known.isdisjoint((question.query, question.id))
            and self._answers[question.answer] < _SAME_ANSWER
        )

    def refuse(self, answers: Iterable[str]) -> None:
        """Ask for none of `answers`."""
        self._answers.update(dict.fromkeys(answers, _SAME_ANSWER))

    def take(self, question: Question, rollout: Rollout) -> None:
        """Add one that `may_take` allows, with the teacher's episode."""
        self._known |= {question.query, question.id}
        self._on_chains |= {entity.id for entity in question.entities}
        self._answers[question.answer] += 1
        self.questions.append(question)
        self.rollouts.append(rollout)
        self.differential -= bool(question.clues)
        self.lay -= mask(question)[0].relation == "lay_term_of"
        quotas = self.quotas[question.specialty]
        for hops in quotas if self._open else (question.hops,):
            quotas[hops] -= 1

    def is_spent(self, seed: str) -> bool:
        """Whether a seed is on a chain already and would most likely give the same one; when lengths are open it is
        asked for another."""
        return not self._open and seed in self._on_chains

    def open_lengths(self, shortest: int, longest: int) -> None:
        """Let any length within the bounds fill what a specialty lacks: it holds too few chains of the wanted ones."""
        for specialty, quotas in self.quotas.items():
            left = [count for count in quotas.values() if count > 0]
            missing = max(left, default=0) if self._open else sum(left)  # open ones all count the same questions
            self.quotas[specialty] = {hops: missing if shortest <= hops <= longest else 0 for hops in quotas}
        self._open = True

    def open_specialties(self, longest: int) -> None:
        """Let any specialty fill what is missing, with lengths up to `longest`."""
        if self.missing:
            tqdm.write(f"{self.split}: {self.missing} questions may be of any specialty, too few are as wanted")
        for specialty, quotas in self.quotas.items():
            self.quotas[specialty] = {hops: self.missing if hops <= longest else 0 for hops in quotas}


def select_for(config: KisaConfig, split: Split, specialties: Sequence[str]) -> Selection:
    """An empty selection with the numbers of `config`, spread evenly over `specialties`."""
    total = config.train_questions if split == "train" else config.heldout_questions
    share, more = divmod(total, len(specialties))
    return Selection(
        split,
        total,
        {name: quotas(config, share + (place < more)) for place, name in enumerate(specialties)},
        round(total * config.differential_fraction),
        round(total * config.lay_fraction),
    )


def quotas(config: KisaConfig, total: int) -> dict[int, int]:
    """How many of `total` questions have each number of hops; the largest share takes what rounding leaves."""
    shares = {hops: config.hop_shares.get(hops, 0.0) for hops in range(config.min_hops, config.max_hops + 1)}
    whole = sum(shares.values())
    counts = {hops: int(total * share / whole) for hops, share in shares.items()}
    counts[max(shares, key=lambda hops: shares[hops])] += total - sum(counts.values())
    return counts
