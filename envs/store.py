"""Where the answers of tools are kept: in this process's memory, or in one SQLite file for all processes of a machine.

    answers   id         INTEGER   ascending, so the smallest are the oldest
              tool       TEXT      its name
              version    TEXT      of what its answers depend on
              arguments  TEXT      canonical JSON
              result     TEXT      JSON of ToolResult

The file is in WAL mode: readers do not wait for a writer, writers wait for each other, and what a killed process had
not written whole is not there. What it holds came from tools, is as untrusted as their answers, and is never run.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import NamedTuple, Protocol

from pydantic import TypeAdapter, ValidationError

from envs.tools.base import ToolResult
from medrl.errors import DataError, ToolOutage

_RESULT = TypeAdapter(ToolResult)
_FORMAT = 1
_SCHEMA = """
    CREATE TABLE answers (
        id INTEGER PRIMARY KEY, tool TEXT NOT NULL, version TEXT NOT NULL, arguments TEXT NOT NULL,
        result TEXT NOT NULL, UNIQUE (tool, version, arguments)
    ) STRICT
"""
#: Longest wait for another process's write, which takes milliseconds.
_WAIT_S = 30.0
_PRIMARY_CODE = 0xFF


class Call(NamedTuple):
    """What an answer is kept under."""

    tool: str
    version: str
    arguments: str


class Store(Protocol):
    """Answers by call. Both methods raise DataError if what they keep is damaged, ToolOutage if it is out of reach."""

    def get(self, call: Call) -> ToolResult | None:
        """The answer that is kept, None if there is none."""
        ...

    def keep(self, call: Call, result: ToolResult) -> ToolResult:
        """Keep an answer unless there is one; returns the one that is kept, which is the first."""
        ...


class Memory:
    """Kept as long as this object."""

    def __init__(self) -> None:
        self._known: dict[Call, ToolResult] = {}

    def get(self, call: Call) -> ToolResult | None:
        """See `Store`."""
        return self._known.get(call)

    def keep(self, call: Call, result: ToolResult) -> ToolResult:
        """See `Store`."""
        return self._known.setdefault(call, replace(result, cached=False))


class AnswerFile:
    """Kept in a file, for any number of processes and threads at once."""

    def __init__(self, path: Path, *, most_bytes: int, writable: bool = True) -> None:
        """Open `path`; it is made if it is not there and `writable`. Raises DataError."""
        self._path = path
        self._most_bytes = most_bytes
        self._lock = Lock()  # a connection has one transaction at a time
        if not path.exists():
            if not writable:
                raise DataError(f"{path}: nothing was recorded there; record with knowledge.recording.mode=cache first")
            with _explained(path):
                _create(path)
        mode = "rw" if writable else "ro"
        with _explained(path):
            self._db = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode={mode}",
                uri=True,
                timeout=_WAIT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            self._db.execute("PRAGMA synchronous = NORMAL")  # outlives any process; a power cut may cost the last few
            found = self._number("PRAGMA user_version")
        if found != _FORMAT:
            self.close()
            raise DataError(f"{path}: not a record of answers of this release; give knowledge.recording.path another")

    def close(self) -> None:
        self._db.close()

    def get(self, call: Call) -> ToolResult | None:
        """See `Store`."""
        with self._lock, _explained(self._path):
            row = self._db.execute(
                "SELECT result FROM answers WHERE tool = ? AND version = ? AND arguments = ?", call
            ).fetchone()
        if row is None:
            return None
        try:
            return _RESULT.validate_json(row[0])
        except ValidationError as error:
            raise _damaged(self._path, f"the answer to {call.tool} {call.arguments[:80]} cannot be read") from error

    def keep(self, call: Call, result: ToolResult) -> ToolResult:
        """See `Store`. The oldest answers go when the file is full."""
        text = _RESULT.dump_json(replace(result, cached=False)).decode()
        with self._lock, _explained(self._path), self._writing():
            new = self._db.execute(
                "INSERT INTO answers (tool, version, arguments, result) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (*call, text),
            )
            if new.rowcount:
                self._make_room()
        return result if new.rowcount else self.get(call) or result

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, all of it or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _make_room(self) -> None:
        """Delete the oldest tenth while more of the file is in use than it may have; freed pages are used again."""
        while self._used_bytes > self._most_bytes:
            deleted = self._db.execute(
                "DELETE FROM answers WHERE id <= (SELECT min(id) + (max(id) - min(id)) / 10 FROM answers)"
            )
            if not deleted.rowcount:
                return

    @property
    def _used_bytes(self) -> int:
        pages = self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")
        return pages * self._number("PRAGMA page_size")

    def _number(self, statement: str) -> int:
        return int(self._db.execute(statement).fetchone()[0])


def _create(path: Path) -> None:
    """An empty file, there whole or not at all; of processes that make it at once the first wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        partial = Path(folder) / "new"
        with closing(sqlite3.connect(partial, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(_SCHEMA)
            db.execute(f"PRAGMA user_version = {_FORMAT}")
        try:
            os.link(partial, path)
        except FileExistsError:
            return


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """SQLite's errors, by what can be done about them."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        match error.sqlite_errorcode & _PRIMARY_CODE:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                raise ToolOutage(f"{path}: another process has written to it for {_WAIT_S:.0f} s") from error
            case sqlite3.SQLITE_FULL:
                raise DataError(
                    f"{path}: no room on the disk: make some, or lower knowledge.recording.most_mb"
                ) from error
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_IOERR:
                raise DataError(f"{path}: {error}: give knowledge.recording.path a file that can be written") from error
            case _:
                raise _damaged(path, str(error)) from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}: give knowledge.recording.path another file") from error


def _damaged(path: Path, why: str) -> DataError:
    return DataError(
        f"{path}: damaged ({why}): delete it, with {path.name}-wal and {path.name}-shm, and record again with "
        "knowledge.recording.mode=cache"
    )
