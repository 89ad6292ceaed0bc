"""Files of a corpus as documents that can be indexed: PubMed citations, or documents as JSON lines."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from envs.corpus import Document
from envs.sources.pubmed import to_document
from kisa.sources.pubmed import read_pubmed
from kisa.sources.skipped import Skipped
from kisa.sources.text_lines import text_lines
from medrl.errors import DataError
from medrl.records import fault

T = TypeVar("T")
Reader = Callable[[Path, Skipped], Iterator[T]]


def reader_by_name(path: Path, readers: Mapping[str, Reader[T]], formats: str) -> Reader[T]:
    """The one of `readers`, by suffix, that reads such a file, plain or gzipped. `formats`: what they read, for the
    message. Raises DataError."""
    suffix = Path(path.name.removesuffix(".gz")).suffix
    if suffix not in readers:
        raise DataError(f"{path}: its format is not known; give {formats}, each plain or gzipped (.gz)")
    return readers[suffix]


def documents_reader(path: Path) -> Reader[Document]:
    """What reads such a file, by its name. Raises DataError."""
    return reader_by_name(path, _READERS, "PubMed (.xml) or documents (.jsonl)")


def read_documents(path: Path, skipped: Skipped) -> Iterator[Document]:
    """Yield the file's documents, as a stream. A malformed record goes to `skipped`.

    Raises DataError if the name says of no format that is known, or the file is broken or cut off.
    """
    return documents_reader(path)(path, skipped)


def _pubmed(path: Path, skipped: Skipped) -> Iterator[Document]:
    return map(to_document, read_pubmed(path, skipped))


def _documents(path: Path, skipped: Skipped) -> Iterator[Document]:
    adapter = TypeAdapter(Document)
    for number, line in text_lines(path, whole=True):
        try:
            yield adapter.validate_json(line)
        except ValidationError as error:
            skipped.add("no document in it", f"line {number}, {fault(error)}")


_READERS: dict[str, Reader[Document]] = {".xml": _pubmed, ".jsonl": _documents}
