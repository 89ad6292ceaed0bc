"""Finished pieces of a long work, kept on the disk, so that what was interrupted goes on where it stopped.

{"key": "…"}    whose pieces these are
{…}             one record a line
"""

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from medrl.errors import ConfigError, DataError
from medrl.records import keep_whole_lines

T = TypeVar("T")


class Journal(Generic[T]):
    """The records of one work, in the order they were appended."""

    def __init__(self, path: Path, key: str, record: type[T]) -> None:
        """Go on with what `path` holds if it is of `key`, else start anew. A last line that was cut off is dropped.

        Raises ConfigError if another process is at work on it.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._adapter = TypeAdapter(record)
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise ConfigError(f"another medrl is at work on {path}: wait for it") from error
        header = json.dumps({"key": key}).encode() + b"\n"
        self._file.seek(0)
        if self._file.readline() != header:
            self._file.truncate(0)
        self._kept = keep_whole_lines(self._file)
        if not self._kept:
            self._file.write(header)
            self._file.flush()

    def records(self) -> Iterator[T]:
        """What was appended before this journal was opened, in order, read as it is asked for. Raises DataError."""
        with self._path.open("rb") as lines:
            read = len(lines.readline())
            while read < self._kept:
                line = lines.readline()
                read += len(line)
                try:
                    yield self._adapter.validate_json(line)
                except ValidationError as error:
                    raise DataError(f"{self._path}: damaged ({error.errors()[0]['msg']}): delete it") from error

    def append(self, record: T) -> None:
        """Keep a record; it is on the disk when this returns."""
        self._file.write(self._adapter.dump_json(record) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self, *, done: bool = False) -> None:
        """`done`: the work is finished, and its pieces are of no more use."""
        self._file.close()
        if done:
            self._path.unlink()
