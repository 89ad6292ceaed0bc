"""Records of PubMed and full texts of PMC (JATS); other XML as it comes.

No entity is replaced but XML's own five and characters by number, nothing is loaded from elsewhere.
"""

from collections.abc import Iterator
from typing import Any

from lxml import etree

from envs.reading.blocks import Role, blocks, name_of
from envs.reading.pieces import Piece, Pieces

_SKIPPED = ("ref-list", "xref", "table-wrap-foot", "permissions", "graphic", "media", "fn-group", "ack")
_INLINE = frozenset("b i u bold italic sub sup sc underline styled-content ext-link named-content em strong".split())


def read_xml(body: bytes) -> Pieces:
    """Never fails: what is no XML has no pieces, of a broken one those before the break."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=True,
        remove_comments=True,
        remove_pis=True,
    )
    root = etree.fromstring(body or b" ", parser)
    if root is None:
        return Pieces("", ())
    title = next(_texts(root, "ArticleTitle", "article-title", "title"), "")
    if name_of(root).startswith("pubmed"):
        return Pieces(title, _abstracts(root))
    full = root.xpath("//*[local-name()='abstract'] | //*[local-name()='body']")
    etree.strip_elements(root, *(f"{{*}}{each}" for each in _SKIPPED), with_tail=False)
    return Pieces(title, (piece for part in full or [root] for piece in blocks(part, _role)))


def _abstracts(root: Any) -> Iterator[Piece]:
    """The parts of the abstracts under their labels, and the subjects."""
    for part in root.iter("AbstractText"):
        yield Piece(str(part.get("Label", "Abstract")).capitalize(), _text(part))
    subjects = list(_texts(root, "DescriptorName"))
    if subjects:
        yield Piece("Subjects", "; ".join(subjects) + ".")


def _texts(root: Any, *names: str) -> Iterator[str]:
    """What elements of these names hold, the first name's first."""
    for name in names:
        for element in root.xpath("//*[local-name()=$name]", name=name):
            if text := _text(element):
                yield text


def _text(element: Any) -> str:
    return " ".join(str(element.xpath("string()")).split())


def _role(name: str) -> Role:
    if name in ("title", "caption"):
        return Role.HEADING
    if name in ("td", "th"):
        return Role.CELL
    return Role.INLINE if name in _INLINE else Role.BREAK
