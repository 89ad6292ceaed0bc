"""PubMed and MEDLINE: citations as the E-utilities and the yearly baseline give them, `.xml` or `.xml.gz`.

Files are read as streams, one citation in memory at a time: a baseline file holds 30,000.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from kisa.sources.skipped import Skipped
from kisa.sources.text_lines import open_binary
from medrl.errors import DataError

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_YEAR = re.compile(r"\b(1[89]|20)\d{2}\b")


@dataclass(frozen=True, slots=True)
class Citation:
    """One article. `types`: publication types ("Review"); `mesh`: headings, major or not; `date`: "2017-06-01", as far
    as it is known ("2017")."""

    pmid: str
    title: str
    abstract: str = ""
    journal: str = ""
    types: tuple[str, ...] = ()
    mesh: tuple[str, ...] = ()
    date: str = ""

    @property
    def text(self) -> str:
        """Title and abstract, one blank between: offsets into it are PubTator's."""
        return f"{self.title} {self.abstract}" if self.abstract else self.title


def read_pubmed(path: Path, skipped: Skipped) -> Iterator[Citation]:
    """Yield the file's citations. One without a PMID or a title goes to `skipped`.

    Raises DataError if the file is no PubMed XML or is cut off. Entities and outside definitions are never resolved.
    """
    read, latest = 0, ""
    with open_binary(path) as stream:
        try:
            events = etree.iterparse(
                stream,
                events=("start", "end"),
                resolve_entities=False,
                load_dtd=False,
                no_network=True,
                remove_comments=True,
                remove_pis=True,
            )
            _, root = next(events)
            if root.tag not in ("PubmedArticleSet", "PubmedArticle", "MedlineCitationSet"):
                raise DataError(f"{path}: its root is <{root.tag}>, not <PubmedArticleSet>")
            for event, element in events:
                if event == "start" or element.tag != "MedlineCitation":
                    continue
                read += 1
                latest = _text(element.find("PMID"))
                citation = _citation(element, latest)
                if not latest:
                    skipped.add("no PMID", f"citation {read}")
                elif citation is None:
                    skipped.add("no title", f"PMID {latest}")
                else:
                    yield citation
                _forget(element)
        except etree.XMLSyntaxError as error:
            after = f"after citation {read} (PMID {latest})" if read else "before the first citation"
            raise DataError(f"{path}: cut off or broken {after} ({error.msg}); fetch it again") from error
        except (EOFError, zlib.error, OSError) as error:
            raise DataError(f"{path}: cut off after citation {read} ({error}); fetch it again") from error


def _citation(element: etree._Element, pmid: str) -> Citation | None:
    article = element.find("Article")
    title = _text(article.find("ArticleTitle")) if article is not None else ""
    if article is None or not title:
        return None
    sections = []
    for part in article.iterfind("Abstract/AbstractText"):
        label, text = part.get("Label", ""), _text(part)
        sections.append(f"{label}: {text}" if label and text else text)
    return Citation(
        pmid,
        title,
        " ".join(filter(None, sections)),
        _text(article.find("Journal/Title")),
        tuple(_text(each) for each in article.iterfind("PublicationTypeList/PublicationType")),
        tuple(_text(each) for each in element.iterfind("MeshHeadingList/MeshHeading/DescriptorName")),
        _date(article.find("Journal/JournalIssue/PubDate")),
    )


def _text(element: etree._Element | None) -> str:
    """All text below, marks such as <i> left out, white space made single."""
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def _date(element: etree._Element | None) -> str:
    if element is None:
        return ""
    year = _text(element.find("Year"))
    if not year:  # "1998 Dec-1999 Jan"
        found = _YEAR.search(_text(element.find("MedlineDate")))
        return found[0] if found else ""
    month = _text(element.find("Month")).lower()[:3]
    number = _MONTHS.index(month) + 1 if month in _MONTHS else int(month) if month.isdecimal() else 0
    day = _text(element.find("Day"))
    return "-".join(
        [year, *([f"{number:02d}"] if number else []), *([f"{int(day):02d}"] if number and day.isdecimal() else [])]
    )


def _forget(element: etree._Element) -> None:
    """Free a citation that was read, and those before it: lxml keeps what its tree still holds."""
    element.clear()
    above = element if element.getparent() is None else element.getparent()
    while above.getprevious() is not None:
        del above.getparent()[0]
