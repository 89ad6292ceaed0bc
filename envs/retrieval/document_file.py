"""Documents on disk by row: JSON lines, and where each begins."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from envs.corpus import Document
from medrl.errors import DataError

LINES = "documents.jsonl"
OFFSETS = "offsets.npy"


class DocumentFile:
    """The documents of a folder with documents.jsonl and offsets.npy (int64 [documents + 1]), memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: npt.NDArray[np.int64] = np.asarray(np.load(folder / OFFSETS, mmap_mode="r"))
        self._lines = np.memmap(folder / LINES, np.uint8, mode="r")
        self._adapter = TypeAdapter(Document)

    def __len__(self) -> int:
        return self._offsets.size - 1

    def __getitem__(self, row: int) -> Document:
        """Read one document. Raises DataError if the file was damaged."""
        line = self._lines[self._offsets[row] : self._offsets[row + 1]].tobytes()
        try:
            return self._adapter.validate_json(line)
        except ValidationError as error:
            raise DataError(f"{self._folder}: document {row} is damaged; delete the index to build it again") from error
