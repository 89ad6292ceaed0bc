"""The texts of a file's documents, read as a stream: PubMed, PubTator, or documents as kisa writes them."""

from collections.abc import Iterator
from pathlib import Path

from kisa.corpus_files import Reader, read_documents, reader_by_name
from kisa.sources.pubmed import read_pubmed
from kisa.sources.pubtator import read_pubtator
from kisa.sources.skipped import Skipped


def read_texts(path: Path, skipped: Skipped) -> Iterator[str]:
    """Yield title and text of each document. A malformed record goes to `skipped`.

    Raises DataError if the name says of no format that is known, or the file is broken or cut off.
    """
    return reader_of(path)(path, skipped)


def reader_of(path: Path) -> Reader[str]:
    """What reads such a file, by its name. Raises DataError."""
    return reader_by_name(path, _READERS, "PubMed (.xml), PubTator (.txt) or kisa's documents (.jsonl)")


def _pubmed(path: Path, skipped: Skipped) -> Iterator[str]:
    return (citation.text for citation in read_pubmed(path, skipped))


def _pubtator(path: Path, skipped: Skipped) -> Iterator[str]:
    return (article.text for article in read_pubtator(path, skipped))


def _documents(path: Path, skipped: Skipped) -> Iterator[str]:
    return (document.text for document in read_documents(path, skipped))


_READERS: dict[str, Reader[str]] = {".xml": _pubmed, ".txt": _pubtator, ".jsonl": _documents}
