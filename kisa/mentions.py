"""Names of entities in running text: the longest name at each place, found by an automaton (Aho-Corasick).

The automaton reads words, not letters: text and names are folded to their words, each between blanks of its own, so a
name is never found inside a word. Time is linear in the text, whatever the number of names.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import ahocorasick

from kisa.names import without_accents

_WORD = re.compile(r"[A-Za-z0-9]+")
#: A short form in brackets: "(TNF-alpha)", "(GISTs)".
_ABBREVIATION = re.compile(r"\(([A-Za-z0-9][A-Za-z0-9/-]{1,9}?)s?\)")


class Name(NamedTuple):
    """A name to look for. `exact`: only in this case, as gene symbols are ("WAS" is no verb)."""

    text: str
    entity: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """Entities (several where they share the name) named at [start, end) of the text."""

    start: int
    end: int
    entities: tuple[str, ...]


class Dictionary:
    """Names, ready to be found. Built once; safe to share between threads; reading it changes nothing."""

    def __init__(self, names: Iterable[Name]) -> None:
        owners: dict[str, dict[Name, None]] = {}
        for name in names:
            key = _key(_WORD.findall(without_accents(name.text).lower()))
            if key:
                owners.setdefault(key, {})[name] = None
        self._automaton = ahocorasick.Automaton()
        for key, named in owners.items():
            self._automaton.add_word(key, (key.count(" ") // 2, tuple(named)))
        self._automaton.make_automaton()
        self._empty = not owners

    def find(self, text: str) -> Iterator[Found]:
        """Yield what is named in `text`, in order, without overlaps."""
        if self._empty:
            return
        plain, places = _fold(text)
        matches = list(_WORD.finditer(plain))
        words = [match[0] for match in matches]
        ends: dict[int, int] = {}  # position in the folded text of a word's last blank -> the word
        position = -1
        for index, word in enumerate(words):
            position += len(word) + 2
            ends[position] = index
        # All names at all places, then the longest at each: the automaton's own search for the longest, `iter_long`,
        # loses names inside one that it began to read and that broke off.
        candidates: list[tuple[int, int, tuple[str, ...]]] = []
        for last, (count, named) in self._automaton.iter(_key([word.lower() for word in words])):
            final = ends[last]
            first = final - count + 1
            written = plain[matches[first].start() : matches[final].end()]
            entities = dict.fromkeys(name.entity for name in named if not name.exact or name.text == written)
            if entities:
                candidates.append((first, final, tuple(entities)))
        free = 0
        for first, final, owners in sorted(candidates, key=lambda each: (each[0], -each[1])):
            if first >= free:
                free = final + 1
                yield Found(places[matches[first].start()], places[matches[final].end() - 1] + 1, owners)


def _key(words: list[str]) -> str:
    return "".join(f" {word} " for word in words)


def _fold(text: str) -> tuple[str, Sequence[int]]:
    """The text without accents, and where each of its letters stands in `text`."""
    if text.isascii():
        return text, range(len(text))
    plain: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        kept = without_accents(letter)
        plain.append(kept)
        places += [place] * len(kept)
    return "".join(plain), places


def abbreviations(text: str) -> Mapping[str, tuple[int, int]]:
    """Short form -> where its long form stands, for each "long form (SF)" of the text.

    Schwartz and Hearst, Pacific Symposium on Biocomputing 2003: walking back from the bracket, each letter of the short
    form must be met in order, the first at the beginning of a word.
    """
    found: dict[str, tuple[int, int]] = {}
    for match in _ABBREVIATION.finditer(text):
        short = match[1]
        before = text[: match.start()].rstrip()
        window = before.split()[-min(len(short) + 5, 2 * len(short)) :]
        begin = len(before) - len(" ".join(window)) if window else len(before)
        start = _long_form(short, before, begin)
        if start is not None and any(letter.isalpha() for letter in short):
            found.setdefault(short, (start, len(before)))
    return found


def _long_form(short: str, before: str, begin: int) -> int | None:
    position = len(before)
    letters = [letter for letter in short.lower() if letter.isalnum()]
    for index in reversed(range(len(letters))):
        position -= 1
        while position >= begin and (
            before[position].lower() != letters[index]
            or (index == 0 and position > 0 and before[position - 1].isalnum())
        ):
            position -= 1
        if position < begin:
            return None
    return position if len(before) - position > len(short) else None
