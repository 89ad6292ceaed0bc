"""What a model is shown of a document: the sections that serve a query, cut to a number of tokens."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import fsum

from envs.text import content_words, words

CountTokens = Callable[[str], int]
_GAP = "…"
_LIST = re.compile(r"^(?P<label>[^;:]{1,60}: )(?P<items>.*;.*?)(?P<stop>\.?)$", re.DOTALL)

#: Words of a query, and the words that label the sections which answer it.
_ASKS_FOR = {
    **dict.fromkeys("genetic mutation mutated variant".split(), ("gene",)),
    **dict.fromkeys("inherited hereditary heredity transmission dominant recessive".split(), ("inheritance",)),
    **dict.fromkeys("age begin beginning start appear".split(), ("onset",)),
    **dict.fromkeys("symptom sign feature manifestation phenotype abnormality frequent".split(), ("finding",)),
    **dict.fromkeys("disease disorder condition syndrome diagnosis".split(), ("disease", "seen")),
    **dict.fromkeys("synonym name alias called".split(), ("called", "known")),
    **dict.fromkeys("organ system".split(), ("organ", "system")),
    **dict.fromkeys("broader parent category".split(), ("kind",)),
}


_LABELS = frozenset(_ASKS_FOR).union(*_ASKS_FOR.values())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for in a document: `names` in the items of its lists, those and `labels` in whole sections."""

    names: frozenset[str]
    labels: frozenset[str]

    def in_section(self, section: str) -> frozenset[str]:
        """The wanted words that a section holds."""
        return (self.names | self.labels) & set(words(section))

    def in_item(self, item: str) -> frozenset[str]:
        """The wanted words that an item of a list holds: not labels, as "disease" says nothing about which."""
        return self.names & set(words(item))


def wanted(query: str, title: str) -> Wanted:
    """The words of a query that the title does not answer, and the labels that they ask for."""
    asked = set(content_words(query))
    labels = {label for word in asked for label in (word, *_ASKS_FOR.get(word, ())) if label in _LABELS}
    return Wanted(frozenset(asked - _LABELS - set(words(title))), frozenset(labels))


def snippet(
    sections: Sequence[str], want: Wanted, weight: Callable[[str], float], limit: int, count: CountTokens
) -> str:
    """The best section within `limit` tokens, cut if it must be, and the next if it too holds what is wanted.

    Best: the highest sum of `weight` over the wanted words in it, then the earliest. May be empty.
    """
    held = [want.in_section(section) for section in sections]
    # An exact sum: that of a set would depend on its order, which differs from process to process.
    order = sorted(range(len(sections)), key=lambda number: -fsum(map(weight, held[number])))
    shown: list[str] = []
    for number in order:
        if len(shown) == 2 or (shown and not held[number]):
            break
        shown += filter(None, [fit(sections[number], want, limit - sum(map(count, shown)), count)])
    return " ".join(shown)


def fit(section: str, want: Wanted, limit: int, count: CountTokens) -> str:
    """`section` within `limit` tokens: a list loses items, those that hold no wanted name first, else its end goes.

    What was left out shows as "…". Returns "" if nothing fits.
    """
    if count(section) <= limit:
        return section
    listed = _LIST.match(section)
    if listed is None:
        return _fit_words(section.split(), limit, count)
    items = listed["items"].split("; ")
    matches = [len(want.in_item(item)) for item in items]
    kept: set[int] = set()
    for number in sorted(range(len(items)), key=lambda number: -matches[number]):
        if count(_join(listed["label"], items, kept | {number})) > limit:
            break
        kept.add(number)
    return _join(listed["label"], items, kept) if kept else ""


def _join(label: str, items: list[str], kept: set[int]) -> str:
    """The kept items in order, one "…" for each run left out."""
    shown: list[str] = []
    for number, item in enumerate(items):
        if number in kept:
            shown.append(item)
        elif not shown or shown[-1] != _GAP:
            shown.append(_GAP)
    return label + "; ".join(shown)


def _fit_words(pieces: list[str], limit: int, count: CountTokens) -> str:
    low, high = 0, len(pieces)
    while low < high:  # the most words that fit
        middle = (low + high + 1) // 2
        if count(" ".join(pieces[:middle]) + _GAP) <= limit:
            low = middle
        else:
            high = middle - 1
    return " ".join(pieces[:low]) + _GAP if low else ""
