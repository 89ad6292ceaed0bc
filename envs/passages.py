"""What each document of an observation said: the tools show several in one text."""

import re
from dataclasses import dataclass

from envs.tools.base import UNTRUSTED
from medrl.types import Step

_NUMBERED = re.compile(r"^\[(\d+)\] ", re.MULTILINE)
_MOST_TITLE = 160


@dataclass(frozen=True, slots=True)
class Passage:
    """Part of an observation. `document`: its id. `title`: what the tool heads it with; "" where it does not.
    `is_untrusted`: the tool says that somebody else wrote it."""

    document: str
    title: str
    text: str
    is_untrusted: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What a text can name the document by: its id, its title, and that without "(…)" at its end."""
        bare = re.sub(r"\s*\([^()]*\)$", "", self.title)
        return tuple(name for name in (self.document, self.title, bare) if name)


def passages(step: Step) -> tuple[Passage, ...]:
    """One for each source of a successful call, in its order; none of a mistake.

    A list of hits ("[1] Title: text", a line each, or fewer than there are sources where the text was cut) is taken
    apart; else each source stands for the whole text.
    """
    if step.status != "ok":
        return ()
    parts = _parts(step.observation, len(step.sources))
    if parts is not None:
        return tuple(_passage(source, part) for source, part in zip(step.sources, parts, strict=False))
    if len(step.sources) == 1:
        return (_passage(step.sources[0], step.observation),)
    return tuple(Passage(source, "", step.observation) for source in step.sources)


def _parts(text: str, most: int) -> list[str] | None:
    """The text of hits 1, 2, …, at most `most`; None if it is no list of hits."""
    starts: list[int] = []
    ends: list[int] = []
    for mark in _NUMBERED.finditer(text):
        if int(mark[1]) == len(starts) + 1 and len(starts) < most and (starts or mark.start() == 0):
            starts.append(mark.end())
            ends.append(mark.start())
    if not starts:
        return None
    return [text[start:end].strip() for start, end in zip(starts, [*ends[1:], len(text)], strict=True)]


def _passage(source: str, part: str) -> Passage:
    text = part.removeprefix(UNTRUSTED)
    return Passage(source, _title(text), text, text != part)


def _title(text: str) -> str:
    """What stands before the first colon, if that is short enough for a title."""
    title, colon, _ = text.partition(": ")
    return title if colon and "\n" not in title and len(title) <= _MOST_TITLE else ""
