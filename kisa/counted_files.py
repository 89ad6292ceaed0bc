"""Files of a corpus, one a unit of work: what is to be counted, and what was counted in each."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from kisa.counting import Counts, Find, count_batch
from kisa.mentions import Name
from kisa.sources.skipped import Skipped
from kisa.sources.text_lines import open_binary
from kisa.texts import read_texts, reader_of
from medrl.errors import DataError
from medrl.versions import source_digest


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """One file as it was found: `path` is absolute, `size` in bytes, `modified` in nanoseconds since 1970."""

    path: str
    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class CountedFile:
    """What one file came to. `notes`: a line for people on what was left out of it, and one if it is broken."""

    file: CorpusFile
    counts: Counts
    notes: tuple[str, ...] = ()


def find_files(paths: Iterable[Path]) -> list[CorpusFile]:
    """The files, each once, however often it was named. Raises DataError if one cannot be read or has no reader."""
    found = {}
    for path in paths:
        reader_of(path)
        try:
            open_binary(path).close()
        except DataError as error:
            raise DataError(f"{error}; give files that are there and can be read") from error
        found[path.resolve()] = describe(path.resolve())
    return list(found.values())


def describe(path: Path) -> CorpusFile:
    """The file as it is now. Raises DataError if it is not there."""
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    return CorpusFile(str(path), status.st_size, status.st_mtime_ns)


def count_file(find: Find, file: CorpusFile) -> CountedFile:
    """Count the file's documents, as far as it can be read.

    Raises DataError if it is not, before or after, the file that was found: it changed, or this is another machine.
    """
    path = Path(file.path)
    skipped = Skipped(path)
    broken: list[str] = []

    def texts() -> Iterable[str]:
        try:
            yield from read_texts(path, skipped)
        except DataError as error:
            broken.append(str(error))

    _require_same(file)
    counts = count_batch(find, texts())
    _require_same(file)
    left_out = [skipped.describe()] if skipped.count else []
    return CountedFile(file, replace(counts, skipped=skipped.reasons), (*left_out, *broken))


def _require_same(file: CorpusFile) -> None:
    if describe(Path(file.path)) != file:
        raise DataError(
            f"{file.path}: not the file that was found at first; leave it alone while it is counted, and on a cluster "
            "put it where all nodes see the same"
        )


def counting_key(names: Iterable[Name]) -> str:
    """A hash of the names and the code that counts: counts of another key cannot be added to these."""
    digest = hashlib.blake2b(source_digest("kisa", "envs", "medrl").encode(), digest_size=8)
    for name in names:
        digest.update(repr(tuple(name)).encode())
    return digest.hexdigest()
