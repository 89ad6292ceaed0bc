"""Whole lines of a file that another process appends to, cuts back, or replaces."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_SEAL = 64


@dataclass(frozen=True, slots=True)
class Line:
    """`text`, with its newline, begins `offset` bytes into the file. `number` counts from 1."""

    number: int
    offset: int
    text: bytes


class Tail:
    """Reads on from where it stopped, whole lines alone.

    `generation` goes up when what was read before is no longer in the file: it was replaced, or cut back further than
    a half line. Reading then begins anew. A file is known by its inode and by the last bytes that were read of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generation = 0
        self.offset = 0
        self._count = 0
        self._inode = 0
        self._seal = b""

    def read(self, most_bytes: int = 1 << 20) -> list[Line]:
        """The next whole lines, about `most_bytes` of them; none if there are no more, or no file."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            self._begin_anew()
            return []
        with file:
            inode = os.fstat(file.fileno()).st_ino
            if inode != self._inode or not self._has_seal(file):
                self._begin_anew()
                self._inode = inode
            file.seek(self.offset)
            block = file.read(most_bytes)
            if b"\n" not in block:
                block += file.readline()
        whole = block[: block.rfind(b"\n") + 1]
        lines = []
        for text in whole.split(b"\n")[:-1]:  # not splitlines: a carriage return ends no line of JSON
            self._count += 1
            lines.append(Line(self._count, self.offset, text + b"\n"))
            self.offset += len(text) + 1
        self._seal = (self._seal + whole)[-_SEAL:]
        return lines

    def _has_seal(self, file: BinaryIO) -> bool:
        file.seek(self.offset - len(self._seal))
        return file.read(len(self._seal)) == self._seal

    def _begin_anew(self) -> None:
        if self.offset:
            self.generation += 1
        self.offset, self._count, self._inode, self._seal = 0, 0, 0, b""
