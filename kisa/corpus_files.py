"""Files of a corpus as documents that can be indexed: PubMed citations, or documents as JSON lines."""

from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from envs.corpus import Document
from envs.sources.pubmed import to_document
from kisa.sources.pubmed import read_pubmed
from kisa.sources.skipped import Skipped
from kisa.sources.text_lines import text_lines
from medrl.errors import DataError


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
    return map(to_document, read_pubmed(path, skipped))


def _documents(path: Path, skipped: Skipped) -> Iterator[Document]:
    adapter = TypeAdapter(Document)
    for number, line in text_lines(path, whole=True):
        try:
            yield adapter.validate_json(line)
        except ValidationError:
            skipped.add("no document in it", f"line {number}")


_READERS = {".xml": _pubmed, ".jsonl": _documents}
