"""Answers that are several things: the same ones, in whatever order they are told."""

import re
from collections.abc import Callable

from medrl.normal import normalise

_SEPARATOR = re.compile(
    r"\s*(?:[;；、\n|，]|,(?!\d{3}\b)|\s\+\s|\s+(?:and|&)\s+|(?<=[\u4e00-\u9fff）)])[和与及](?=[\u4e00-\u9fff]))\s*"
    r"(?:(?:and|&)\s+)?"
)
_BULLET = re.compile(r"(?:^|(?<=\s))\s*(?:[-*•·]|\(?\d{1,2}[.)、])\s+", re.M)
_RANGE = re.compile(r"\b(\d{1,4})\s*[-–]\s*(\d{1,4})\b")
MOST = 50
"""Numbers that a range may stand for."""


def same_list(said: str, gold: str, same: Callable[[str, str], bool]) -> bool:
    """Whether each of the gold things is said once, by `same`, and nothing besides. False if gold is one thing."""
    theirs = things(gold)
    if len(theirs) < 2:
        return False
    numbers = all(re.fullmatch(r"\d+", thing) for thing in theirs)
    ours = things(_RANGE.sub(_written_out, said) if numbers else said)
    if len(ours) != len(theirs):
        return False
    for thing in theirs:
        found = next((each for each in ours if same(each, thing)), None)
        if found is None:
            return False
        ours.remove(found)
    return True


def things(text: str) -> list[str]:
    """The parts of an enumeration, without bullets and numbers."""
    return [part for part in _SEPARATOR.split(_BULLET.sub("\n", text.strip(" .。")).strip()) if normalise(part)]


def _written_out(found: re.Match[str]) -> str:
    first, last = int(found[1]), int(found[2])
    return ", ".join(map(str, range(first, last + 1))) if 0 <= last - first < MOST else found[0]
