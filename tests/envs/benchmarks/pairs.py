"""Answer pairs, labelled by one reader without sight of the matcher, and how its verdicts compare with the labels."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from envs.benchmarks.absence import is_absence
from envs.benchmarks.item import Item
from envs.benchmarks.scorer import score
from medrl.matching import Verdict

PAIRS = Path(__file__).parent / "answer_pairs.jsonl"


@dataclass(frozen=True, slots=True)
class Pair:
    """A question, its gold answer, what was said, and what a reader thinks of it and why."""

    question: str
    gold: str
    aliases: tuple[str, ...]
    prediction: str
    label: Verdict
    kind: str
    why: str

    @property
    def item(self) -> Item:
        return Item("pair", "pairs", self.question, self.gold, self.aliases, is_na=is_absence(self.gold))


def confusion(pairs: Sequence[Pair]) -> tuple[Counter[tuple[str, str]], dict[str, Counter[tuple[str, str]]]]:
    """Numbers of pairs by (label, verdict): of all, and by kind."""
    by_kind: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for pair in pairs:
        by_kind[pair.kind][pair.label, score(pair.item, pair.prediction).verdict] += 1
    return sum(by_kind.values(), Counter()), by_kind
