"""The texts of a file's documents, read as a stream: PubMed, PubTator, or documents as kisa writes them."""

from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from envs.corpus import Document
from kisa.sources.pubmed import read_pubmed
from kisa.sources.pubtator import read_pubtator
from kisa.sources.skipped import Skipped
from kisa.sources.text_lines import text_lines
from medrl.errors import DataError


def read_texts(path: Path, skipped: Skipped) -> Iterator[str]:
    """Yield title and text of each document. A malformed record goes to `skipped`.

    Raises DataError if the name says of no format that is known, or the file is broken or cut off.
    """
    return reader_of(path)(path, skipped)


def reader_of(path: Path) -> Callable[[Path, Skipped], Iterator[str]]:
    """What reads such a file, by its name. Raises DataError."""
    suffix = Path(path.name.removesuffix(".gz")).suffix
    if suffix not in _READERS:
        raise DataError(
            f"{path}: its format is not known; give PubMed (.xml), PubTator (.txt) or kisa's documents (.jsonl), each "
            "plain or gzipped (.gz)"
        )
    return _READERS[suffix]


def _pubmed(path: Path, skipped: Skipped) -> Iterator[str]:
    return (citation.text for citation in read_pubmed(path, skipped))


def _pubtator(path: Path, skipped: Skipped) -> Iterator[str]:
    return (article.text for article in read_pubtator(path, skipped))


def _documents(path: Path, skipped: Skipped) -> Iterator[str]:
    adapter = TypeAdapter(Document)
    for number, line in text_lines(path, whole=True):
        try:
            yield adapter.validate_json(line).text
        except ValidationError:
            skipped.add("no document in it", f"line {number}")


_READERS = {".xml": _pubmed, ".txt": _pubtator, ".jsonl": _documents}
