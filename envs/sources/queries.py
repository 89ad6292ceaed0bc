"""Words of a question, as query languages may safely be given them: no operator, tag, bracket or quote gets through."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from envs.text import STOPWORDS

T = TypeVar("T")

_TERM = re.compile(r"[^\W_]+(?:[-.][^\W_]+)*")
_OPERATORS = frozenset(("and", "or", "not", "to", "near"))
_LONGEST_TERM = 60
_LONGEST_LINE = 400


def terms(query: str, most: int = 12) -> list[str]:
    """The first `most` words that carry meaning, in small letters, each once: letters and digits of any script, with a
    hyphen or a point inside. All words if none carries meaning; a language's operators are never among them."""
    found = dict.fromkeys(word.lower()[:_LONGEST_TERM].rstrip("-.") for word in _TERM.findall(query))
    plain = [word for word in found if word not in _OPERATORS]
    return ([word for word in plain if word not in STOPWORDS] or plain)[:most]


def one_line(query: str) -> str:
    """A question for services that take plain text: on one line, printable, at most 400 characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in query).split())[:_LONGEST_LINE]


async def all_else_any(asked: Sequence[str], search: Callable[[str], Awaitable[list[T]]]) -> list[T]:
    """What `search` finds for all of the terms; where nothing has them all, for any. [] without terms."""
    found = await search(" AND ".join(asked)) if asked else []
    if not found and len(asked) > 1:
        found = await search(" OR ".join(asked))
    return found
