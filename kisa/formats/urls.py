"""Where the sources of a question can be read on the web."""

import re
from collections.abc import Mapping

from medrl.types import Question

_ID = re.compile(r"([A-Za-z]+):(\d+)")
_PAGES: Mapping[str, str] = {
    "PMID": "https://pubmed.ncbi.nlm.nih.gov/{number}/",
    "OMIM": "https://omim.org/entry/{number}",
    "ORPHA": "https://www.orpha.net/en/disease/detail/{number}",
    "HP": "https://hpo.jax.org/browse/term/HP:{number}",
    "NCBIGene": "https://www.ncbi.nlm.nih.gov/gene/{number}",
}


def url_of(identifier: str) -> str | None:
    """The page of a catalogue's entry, "PMID:7951214" say; None where a catalogue has no well-known ones."""
    found = _ID.fullmatch(identifier)
    page = _PAGES.get(found[1]) if found else None
    return page.format(number=found[2]) if found and page else None


def urls_of(question: Question) -> tuple[str, ...]:
    """Pages of what each relation joins and of its references, chain first, then clues and branches; each page once."""
    relations = (*question.relations, *question.clues, *question.branches)
    identifiers = (
        each
        for relation in relations
        for each in (relation.subject.id, relation.object.id, *relation.provenance.get("reference", "").split(";"))
    )
    return tuple(dict.fromkeys(url for url in map(url_of, identifiers) if url is not None))
