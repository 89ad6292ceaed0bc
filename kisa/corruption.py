"""Tool outputs that went wrong, made on purpose, so that the agent learns to see it and to go on (arXiv 2508.14880
spoils 5% of the outputs in its training trajectories).

What is spoilt, and how, follows from the run's seed, the question's id and the number of the call alone.
"""

import random
import string
from enum import StrEnum

from medrl.seeds import derive_seed

_UNREADABLE = 80  # letters of a text in the wrong encoding; each takes several tokens
_GARBLED_SHARE = 0.3
_SYMBOLS = "\ufffd#~^¤§"
_ERROR_PAGES = (
    "HTTP 503 Service Unavailable",
    "<html><head><title>503 Service Temporarily Unavailable</title></head><body>Try again later.</body></html>",
    '{"status": 504, "error": "upstream request timed out"}',
    "502 Bad Gateway: no response from the server.",
)


class Corruption(StrEnum):
    """What is wrong with an output. Each shows in the text."""

    EMPTY = "empty"
    CUT = "cut"
    GARBLED = "garbled"
    OTHER_DOCUMENT = "other_document"
    ERROR_PAGE = "error_page"
    WRONG_ENCODING = "wrong_encoding"


#: What the teacher says of each.
FAULTS = {
    Corruption.EMPTY: "The result is empty.",
    Corruption.CUT: "The result breaks off.",
    Corruption.GARBLED: "The result is garbled.",
    Corruption.OTHER_DOCUMENT: "The result is about something else.",
    Corruption.ERROR_PAGE: "The result is an error page.",
    Corruption.WRONG_ENCODING: "The result cannot be read.",
}


def draw(seed: int, question_id: str, call: int, fraction: float) -> tuple[Corruption, random.Random] | None:
    """How the output of call number `call` of an episode is spoilt, and the randomness to do it with; None: it is
    not, as `1 - fraction` of all are."""
    rng = random.Random(derive_seed(seed, "corruption", question_id, call))
    return (rng.choice(list(Corruption)), rng) if rng.random() < fraction else None


def corrupt(text: str, kind: Corruption, rng: random.Random, other: str = "") -> str:
    """`text`, spoilt; it differs from `text`, which must not be blank. `other`: what another document says."""
    match kind:
        case Corruption.EMPTY:
            return ""
        case Corruption.CUT:
            return text[: _within_a_word(text, rng)]
        case Corruption.GARBLED:
            return _garbled(text, rng)
        case Corruption.OTHER_DOCUMENT:
            return other
        case Corruption.ERROR_PAGE:
            return rng.choice(_ERROR_PAGES)
        case Corruption.WRONG_ENCODING:
            raw = text[: 2 * _UNREADABLE].encode(errors="replace")
            return raw.ljust(len(raw) + len(raw) % 2).decode("utf-16-le", errors="replace")[:_UNREADABLE]


def _within_a_word(text: str, rng: random.Random) -> int:
    """A place in the middle half of `text` with a letter on both sides, so that no one takes the cut for the end."""
    middle = range(len(text) // 4, 3 * len(text) // 4)
    within = [place for place in middle if place and text[place - 1].isalpha() and text[place].isalpha()]
    return rng.choice(within or [len(text) // 2])


def _garbled(text: str, rng: random.Random) -> str:
    """`text` with other signs for some letters, at least one of them."""
    sure = rng.randrange(len(text))
    signs = _SYMBOLS + string.ascii_letters

    def sign(letter: str) -> str:
        return rng.choice([each for each in signs if each != letter])

    spoilt = (
        place == sure or (letter.isalnum() and rng.random() < _GARBLED_SHARE) for place, letter in enumerate(text)
    )
    return "".join(sign(letter) if bad else letter for letter, bad in zip(text, spoilt, strict=True))
