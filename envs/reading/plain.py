"""Bytes to text, whatever their encoding; and plain text as paragraphs."""

import codecs
import re
from collections.abc import Iterator

from charset_normalizer import from_bytes

from envs.reading.kinds import BYTE_ORDER_MARKS
from envs.reading.pieces import Piece, Pieces

_META = re.compile(rb"""<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_DECLARED_WITHIN = 4_096
_GUESSED_FROM = 20_000
_ASCII = bytes(range(128))
#: Encodings that make letters of any bytes; whoever uses them marks the byte order.
_WIDE = ["utf_7", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"]
#: Python codecs that are no character sets, but turn bytes into other things.
_TEXT = re.compile(r"(?:utf|iso|windows|cp|koi8|mac|gb|big5|shift|euc|ascii|us-ascii|latin|tis|johab|hz)[\w.:-]*")


def decode(body: bytes, charset: str) -> str:
    """The text: by its byte order mark, by `charset`, by its own word, as UTF-8, else by the looks of it.

    What does not fit shows as U+FFFD. Never fails.
    """
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    for declared in (charset, *_own_word(body)):
        if _TEXT.fullmatch(declared) and _known(declared):
            return body.decode(declared, "replace")
    text = body.decode(errors="replace")
    broken = text.count("\ufffd")
    if broken <= sum(not letter.isascii() for letter in text) // 2:  # more letters beyond ASCII are whole than broken
        return text
    if 10 * len(body.translate(None, _ASCII)) < len(body):  # a few accents: too little to guess from
        return body.decode("cp1252", "replace")
    best = from_bytes(body[:_GUESSED_FROM], cp_exclusion=_WIDE).best()
    return body.decode(best.encoding if best else "cp1252", "replace")


def read_plain(text: str) -> Pieces:
    """Paragraphs parted by blank lines; the first line is the title."""
    return Pieces(text.lstrip().partition("\n")[0], _paragraphs(text))


def _paragraphs(text: str) -> Iterator[Piece]:
    for paragraph in re.split(r"\n[ \t\r\f]*\n", text):
        yield Piece("", paragraph)


def _own_word(body: bytes) -> Iterator[str]:
    found = _META.search(body[:_DECLARED_WITHIN])
    if found:
        yield found[1].decode("ascii", "replace").lower()


def _known(encoding: str) -> bool:
    try:
        codecs.lookup(encoding)
    except (LookupError, ValueError):
        return False
    return True
