"""A citation of PubMed or MEDLINE, read from the XML that the E-utilities and the yearly baseline share."""

import re
from dataclasses import dataclass
from typing import Any

from lxml import etree

from envs.sources.dates import month_number

_YEAR = re.compile(r"\b(1[89]|20)\d{2}\b")

#: How lxml parses what strangers wrote: entities and outside definitions are never resolved.
SAFELY: dict[str, Any] = {
    "resolve_entities": False,
    "load_dtd": False,
    "no_network": True,
    "remove_comments": True,
    "remove_pis": True,
}


@dataclass(frozen=True, slots=True)
class Citation:
    """One article. `paragraphs`: of its abstract, label ("AIM" or "") and text; `types`: publication types ("Review");
    `mesh`: headings, major or not; `date`: "2017-06-01", as far as it is known ("2017")."""

    pmid: str
    title: str
    paragraphs: tuple[tuple[str, str], ...] = ()
    journal: str = ""
    types: tuple[str, ...] = ()
    mesh: tuple[str, ...] = ()
    date: str = ""

    @property
    def text(self) -> str:
        """Title and abstract, one blank between: offsets into it are PubTator's."""
        paragraphs = (f"{label}: {text}" if label else text for label, text in self.paragraphs)
        return " ".join((self.title, *paragraphs))


def read_citation(element: etree._Element) -> Citation | None:
    """Of a <MedlineCitation>; None for one without a PMID or a title."""
    article = element.find("Article")
    pmid = element_text(element.find("PMID"))
    title = element_text(article.find("ArticleTitle")) if article is not None else ""
    if article is None or not pmid or not title:
        return None
    parts = ((part.get("Label", ""), element_text(part)) for part in article.iterfind("Abstract/AbstractText"))
    return Citation(
        pmid,
        title,
        tuple((label, text) for label, text in parts if text),
        element_text(article.find("Journal/Title")),
        tuple(element_text(each) for each in article.iterfind("PublicationTypeList/PublicationType")),
        tuple(element_text(each) for each in element.iterfind("MeshHeadingList/MeshHeading/DescriptorName")),
        _date(article.find("Journal/JournalIssue/PubDate")),
    )


def element_text(element: etree._Element | None) -> str:
    """All text below, marks such as <i> left out, white space made single."""
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def _date(element: etree._Element | None) -> str:
    if element is None:
        return ""
    year = element_text(element.find("Year"))
    if not year:  # "1998 Dec-1999 Jan"
        found = _YEAR.search(element_text(element.find("MedlineDate")))
        return found[0] if found else ""
    month, day = month_number(element_text(element.find("Month"))), element_text(element.find("Day"))
    return "-".join([year, *([month] if month else []), *([f"{int(day):02d}"] if month and day.isdecimal() else [])])
