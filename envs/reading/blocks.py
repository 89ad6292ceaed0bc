"""A tree of elements as paragraphs under headings, in the order of the document; for HTML and XML alike."""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from lxml import etree

from envs.reading.pieces import Piece


class Role(Enum):
    """What an element does to the text around it."""

    HEADING = "its text stands above what follows"
    BREAK = "a paragraph ends before and after it"
    CELL = "a gap before it"
    LINK = "its text may be a menu's"
    INLINE = "nothing"


#: Share of a paragraph's letters within links, from which on it is a menu.
_MENU = 0.6


def name_of(element: Any) -> str:
    """The tag without its namespace, in small letters; "" for comments and the like."""
    return etree.QName(element).localname.lower() if isinstance(element.tag, str) else ""


def blocks(root: Any, role: Callable[[str], Role], *, menus: bool = True) -> Iterator[Piece]:
    """Every paragraph with something in it; those that are mostly links only with `menus`. Needs no recursion."""
    heading, text, num_linked, in_link = "", [""], 0, 0

    def take(part: str | None) -> None:
        nonlocal num_linked
        if part:
            text.append(part)
            num_linked += len(part.strip()) if in_link else 0

    def flush() -> str:
        nonlocal num_linked
        whole = " ".join("".join(text).split())
        menu = not menus and num_linked > _MENU * len(whole)
        text.clear()
        num_linked = 0
        return "" if menu else whole

    for event, element in etree.iterwalk(root, events=("start", "end")):
        does = role(name_of(element))
        if event == "start":
            if does in (Role.BREAK, Role.HEADING) and (paragraph := flush()):
                yield Piece(heading, paragraph)
            text += [" "] * (does is Role.CELL)
            in_link += does is Role.LINK
            if isinstance(element.tag, str):
                take(element.text)
            continue
        in_link -= does is Role.LINK
        if does is Role.HEADING:
            heading = flush()
        elif does is Role.BREAK and (paragraph := flush()):
            yield Piece(heading, paragraph)
        if element is not root:
            take(element.tail)
    if paragraph := flush():
        yield Piece(heading, paragraph)
