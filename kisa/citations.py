"""Files of a corpus as documents that can be indexed: PubMed citations, or documents as JSON lines."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from envs.corpus import Document
from kisa.sources.pubmed import Citation, read_pubmed
from kisa.sources.skipped import Skipped
from kisa.sources.text_lines import text_lines
from medrl.errors import DataError

#: Between sentences of an abstract: a stop after a small letter, a figure or a bracket, before a capital.
_BETWEEN = re.compile(r"(?<=[a-z0-9)\]%][.!?])\s+(?=[A-Z])")


def citation_document(citation: Citation) -> Document:
    """An article: its abstract by sentences, then its MeSH headings."""
    sections = [sentence for sentence in _BETWEEN.split(citation.abstract) if sentence]
    if citation.mesh:
        sections.append(f"Topics: {'; '.join(citation.mesh)}.")
    return Document(
        f"PMID:{citation.pmid}",
        citation.title,
        tuple(sections),
        "pubmed",
        "",
        (f"PMID:{citation.pmid}",),
        tuple(kind.lower() for kind in citation.types),
        citation.journal,
        citation.date,
        f"https://pubmed.ncbi.nlm.nih.gov/{citation.pmid}/",
    )


def read_documents(path: Path, skipped: Skipped) -> Iterator[Document]:
    """Yield the file's documents, as a stream. A malformed record goes to `skipped`.

    Raises DataError if the name says of no format that is known, or the file is broken or cut off.
    """
    return documents_reader(path)(path, skipped)


def documents_reader(path: Path) -> Callable[[Path, Skipped], Iterator[Document]]:
    """What reads such a file, by its name. Raises DataError."""
    suffix = Path(path.name.removesuffix(".gz")).suffix
    if suffix not in _READERS:
        raise DataError(
            f"{path}: its format is not known; give PubMed (.xml) or documents (.jsonl), each plain or gzipped (.gz)"
        )
    return _READERS[suffix]


def _pubmed(path: Path, skipped: Skipped) -> Iterator[Document]:
    return map(citation_document, read_pubmed(path, skipped))


def _documents(path: Path, skipped: Skipped) -> Iterator[Document]:
    adapter = TypeAdapter(Document)
    for number, line in text_lines(path, whole=True):
        try:
            yield adapter.validate_json(line)
        except ValidationError:
            skipped.add("no document in it", f"line {number}")


_READERS = {".xml": _pubmed, ".jsonl": _documents}
