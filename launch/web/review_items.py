"""What a rater is shown, and in which order: pairs of episodes of one question that had different outcomes.

All raters get the same order, so that they meet on the same items and their agreement can be told; which of a pair
stands first is drawn for each rater anew.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, zip_longest
from typing import Literal

from launch.web.episodes import Entry
from medrl.seeds import derive_seed
from medrl.types import Ending

Kind = Literal["rating", "preference"]
EPISODES_A_QUESTION = 12
PAIRS_A_QUESTION = 4


@dataclass(frozen=True, slots=True)
class Item:
    """One episode to rate, or two to choose from. `id` tells nothing of who made them."""

    kind: Kind
    entries: tuple[Entry, ...]

    @property
    def id(self) -> str:
        return item_id(self.kind, self.entries[0].question_id, (entry.digest for entry in self.entries))

    def shown_to(self, rater: str, seed: int) -> "Item":
        """The same, its episodes in the order in which this rater sees them."""
        turned = derive_seed(seed, "side", rater, self.id) % 2 == 1
        return Item(self.kind, tuple(sorted(self.entries, key=lambda entry: entry.digest, reverse=turned)))


def item_id(kind: str, question_id: str, digests: Iterable[str]) -> str:
    """Of the item of these episodes, in whichever order."""
    named = "\x1f".join((kind, question_id, *sorted(digests)))
    return hashlib.blake2b(named.encode(), digest_size=8).hexdigest()


def choose_pairs(entries: Iterable[Entry], seed: int) -> list[Item]:
    """At most 4 pairs a question, taking turns: one right answer and one wrong; two whose rewards differ all the same;
    and what is left, as one gave no answer or was never scored. Pairs of equal reward tell least and are left out, and
    episodes that read the same are one. Questions take turns too, in a seeded order."""
    by_question: defaultdict[str, dict[str, Entry]] = defaultdict(dict)
    for entry in entries:
        by_question[entry.question_id].setdefault(entry.digest, entry)
    ranked = [
        (turn, derive_seed(seed, "question", question_id), question_id, Item("preference", pair))
        for question_id, found in by_question.items()
        for turn, pair in enumerate(_informative(list(found.values()), seed))
    ]
    return [item for *_, item in sorted(ranked, key=lambda each: each[:3])]


def choose_singles(pairs: Sequence[Item]) -> list[Item]:
    """The pairs' episodes one by one, each once: so that soon two of a question are rated and can be compared."""
    entries = {entry.digest: entry for pair in pairs for entry in pair.entries}
    return [Item("rating", (entry,)) for entry in entries.values()]


def _informative(entries: list[Entry], seed: int) -> list[tuple[Entry, Entry]]:
    def drawn(*digests: str) -> int:
        return derive_seed(seed, "pair", *sorted(digests))

    few = sorted(entries, key=lambda entry: (drawn(entry.digest), entry.digest))[:EPISODES_A_QUESTION]
    pairs = sorted(combinations(few, 2), key=lambda pair: drawn(*(entry.digest for entry in pair)))
    outcome, reward, rest = ([pair for pair in pairs if _contrast(*pair) == kind] for kind in range(3))
    turns = chain.from_iterable(zip_longest(outcome, reward))
    return [pair for pair in (*turns, *rest) if pair is not None][:PAIRS_A_QUESTION]


def _contrast(a: Entry, b: Entry) -> int | None:
    """Of two answers: 0 if one is right and the other wrong, 1 if only rewards differ. 2: no answer, or no reward.
    None: the same reward."""
    if a.reward is None or b.reward is None:
        return 2
    if a.reward.total == b.reward.total:
        return None
    if not a.ending == b.ending == Ending.ANSWERED:
        return 2
    return 0 if a.reward.task != b.reward.task else 1
