"""Lines of a text file, plain or gzipped, read as a stream."""

import gzip
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

from medrl.errors import DataError


def open_binary(path: Path) -> BufferedIOBase:
    """The file's bytes, unpacked if its name ends in .gz. Raises DataError if it cannot be opened."""
    try:
        return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


def text_lines(path: Path, *, whole: bool = False, mend: str = "fetch it again") -> Iterator[tuple[int, str]]:
    """Yield (line number, line without its end).

    Raises DataError, which ends in `mend`, if the file cannot be read, is no UTF-8 or its gzip stream is cut off;
    with `whole` also if the last line has no end, as in a file that was cut off between.
    """
    number = 0
    with open_binary(path) as stream:
        try:
            for line in stream:
                number += 1
                if whole and not line.endswith(b"\n"):
                    raise DataError(f"{path}:{number}: the file ends in the middle of a line; {mend}")
                yield number, line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}:{number}: not UTF-8 text ({error.reason}); {mend}") from error
        except (EOFError, zlib.error, OSError) as error:  # gzip's own complaints among them
            raise DataError(f"{path}: unreadable after line {number} ({error}); {mend}") from error


def table_rows(path: Path, columns: tuple[str, ...], separator: str = "\t") -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) below the header, which must name `columns` in order. Raises DataError."""
    lines = text_lines(path)
    _, header = next(lines, (0, ""))
    if tuple(header.split(separator)) != columns:
        raise DataError(f"{path}:1: the header is not {' '.join(columns)}")
    for number, line in lines:
        if line:
            yield number, line.split(separator)
