"""Web pages: what a reader came for, without scripts, menus and what is hidden.

A goal decides later which paragraphs are shown, so this keeps a paragraph where it is in doubt.
"""

from typing import Any

from lxml import etree

from envs.reading.blocks import Role, blocks
from envs.reading.pieces import Pieces

_DROPPED = (
    "script style noscript template svg canvas iframe frame object embed applet audio video form button select textarea"
    " nav footer aside dialog"
).split()
_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6 caption dt legend summary".split())
_INLINE = frozenset(
    "abbr b bdi bdo big cite code data del dfn em font i img ins kbd label mark q s samp small span strike strong sub"
    " sup time tt u var wbr".split()
)
_MENUS = ("navigation", "banner", "contentinfo", "search", "complementary", "menu", "menubar", "dialog")
_STYLE = "translate(@style, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ \t\n', 'abcdefghijklmnopqrstuvwxyz')"
_HIDDEN = (
    f"//*[@hidden or @aria-hidden='true' or contains({_STYLE}, 'display:none')"
    f" or contains({_STYLE}, 'visibility:hidden') or contains({_STYLE}, 'font-size:0')]"
)
#: Part of a page's letters that its main part must hold to be taken for the whole of it.
_MAIN_SHARE = 0.25


def read_html(text: str) -> Pieces:
    """Never fails: what is no HTML is text to a browser as well."""
    parser = etree.HTMLParser(
        encoding="utf-8", recover=True, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    root = etree.fromstring(text.replace("\0", "").encode("utf-8", "replace") or b" ", parser)
    if root is None:
        return Pieces("", ())
    title = " ".join(root.xpath("(//title)[1]//text()")) or " ".join(root.xpath("(//h1)[1]//text()"))
    etree.strip_elements(root, *_DROPPED, "head", with_tail=False)
    menus = " or ".join(f"@role='{each}'" for each in _MENUS)
    for element in (*root.xpath(_HIDDEN), *root.xpath(f"//*[{menus}]")):
        _drop(element)
    return Pieces(title, blocks(_main(root), _role, menus=False))


def _main(root: Any) -> Any:
    """The element that holds the page's own text."""
    listed = root.xpath("//main | //*[@role='main'] | //article")
    best = max(listed, key=_letters, default=root)
    return best if _letters(best) > _MAIN_SHARE * _letters(root) else root


def _letters(element: Any) -> int:
    return int(element.xpath("string-length(normalize-space(.))"))


def _drop(element: Any) -> None:
    """Empty it, but leave it in its place: its tail is not hidden. The root may be hidden as well."""
    tail = element.tail
    element.clear()
    element.tail = tail


def _role(name: str) -> Role:
    if name in _HEADINGS:
        return Role.HEADING
    if name in ("td", "th"):
        return Role.CELL
    if name == "a":
        return Role.LINK
    return Role.INLINE if name in _INLINE else Role.BREAK
