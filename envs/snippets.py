"""What a model is shown of a document: the sections that serve a query, cut to a number of tokens."""

import re
from collections.abc import Callable, Collection, Sequence

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
    **dict.fromkeys("broader parent category type".split(), ("kind",)),
}


def wanted_words(query: str, title: str) -> set[str]:
    """The words to look for in sections: those of the query that the title does not answer, and what they ask for."""
    asked = set(content_words(query))
    asked |= {label for word in asked for label in _ASKS_FOR.get(word, ())}
    return asked - set(words(title)) or asked


def rank_sections(sections: Sequence[str], wanted: Collection[str], weight: Callable[[str], float]) -> list[int]:
    """Section numbers, best first: by the summed weight of the wanted words they hold, then in order."""
    scores = [sum(weight(word) for word in set(words(section)) & set(wanted)) for section in sections]
    return sorted(range(len(sections)), key=lambda number: -scores[number])


def snippet(
    sections: Sequence[str], wanted: Collection[str], weight: Callable[[str], float], limit: int, count: CountTokens
) -> str:
    """The best one or two sections within `limit` tokens, the first one cut if it must be; may be empty."""
    shown: list[str] = []
    for number in rank_sections(sections, wanted, weight):
        section = sections[number]
        serves = not set(words(section)).isdisjoint(wanted)
        room = limit - sum(map(count, shown))
        if count(section) <= room:
            shown.append(section)
        elif not shown or serves:
            cut = fit(section, wanted, room, count)
            if cut:
                shown.append(cut)
        if len(shown) == 2 or (shown and not serves):
            break
    return " ".join(shown)


def fit(section: str, wanted: Collection[str], limit: int, count: CountTokens) -> str:
    """`section` within `limit` tokens: a list loses items, those that hold no wanted word first, else its end goes.

    What was left out shows as "…". Returns "" if nothing fits.
    """
    if count(section) <= limit:
        return section
    listed = _LIST.match(section)
    if listed is None:
        return _fit_words(section.split(), limit, count)
    items = listed["items"].split("; ")
    matches = [len(set(words(item)) & set(wanted)) for item in items]
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
