"""A document as it is read: headings and paragraphs; and its sections, clean and of bounded length."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_TITLE = 120
_HEADING = 60
#: A section this short takes in the paragraph after it: items of a list, cells of a table.
_SHORT = 80
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
#: Control, format (bidirectional overrides, zero width, tags), surrogate, private and unassigned characters.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))


@dataclass(frozen=True, slots=True)
class Piece:
    """A paragraph, and the heading it stands under, "" if none."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a format's reader finds, as it is written there; `pieces` may be lazy."""

    title: str
    pieces: Iterable[Piece]


def clean(text: str) -> str:
    """`text` on one line, without characters that nobody sees."""
    seen = "".join(
        letter if letter.isprintable() or unicodedata.category(letter) not in _UNSEEN else " " * letter.isspace()
        for letter in text
    )
    return " ".join(seen.split())


def shorten(text: str, most: int) -> str:
    """`text` within `most` letters; "…" for what was cut."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def title_of(found: Pieces) -> str:
    """The title, clean and short; "" if there is none."""
    return shorten(clean(found.title[: 10 * _TITLE]), _TITLE)


def sections(pieces: Iterable[Piece], most: int, longest: int) -> list[str]:
    """At most `most` sections of at most `longest` letters, in order: "Heading: paragraph", each once.

    Paragraphs are parted at the ends of sentences, words that are longer still anywhere.
    """
    kept: dict[str, None] = {}
    for section in _joined(pieces, longest):
        kept[section] = None
        if len(kept) == most:
            break
    return list(kept)


def _joined(pieces: Iterable[Piece], longest: int) -> Iterator[str]:
    under, text = "", ""
    for piece in pieces:
        heading = shorten(clean(piece.heading[: 10 * _HEADING]), _HEADING)
        label = f"{heading}: " if heading else ""
        room = longest - len(label)
        for part in _parts(clean(piece.text), room):
            if text and label == under and len(text) < _SHORT and len(text) + 2 + len(part) <= room:
                text += (" " if text[-1] in ".:;,!?…" else "; ") + part
                continue
            if text:
                yield under + text
            under, text = label, part
    if text:
        yield under + text


def _parts(text: str, longest: int) -> Iterator[str]:
    """`text` in parts of at most `longest` letters, of whole sentences where those are not longer."""
    part = ""
    for sentence in _SENTENCE.split(text):
        if part and len(part) + 1 + len(sentence) > longest:
            yield part
            part = ""
        part = f"{part} {sentence}".strip()
        while len(part) > longest:
            cut = part.rfind(" ", 1, longest + 1)
            cut = cut if cut > 0 else longest
            yield part[:cut]
            part = part[cut:].lstrip()
    if part:
        yield part
