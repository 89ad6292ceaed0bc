"""Which items a language model was asked about in vain, so that a later run may ask again.

{"stage": "wording", "id": "q-17", "reasons": ["HTTP status 503", "an empty reply"]}     one line an item
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import TypeAdapter, ValidationError

from medrl.errors import DataError
from medrl.records import whole_lines, write_text


@dataclass(frozen=True, slots=True)
class Aside:
    """`reasons`: why, of every attempt, in order."""

    stage: str
    id: str
    reasons: tuple[str, ...]


_ASIDE = TypeAdapter(Aside)


class SetAsideLog:
    """A file that items are appended to. Use it as a context manager, or `close` it."""

    def __init__(self, path: Path) -> None:
        """Go on with `path`; a last line that was cut off is dropped."""
        write_text(path, "".join(f"{line}\n" for line in whole_lines(path)))
        self._file = path.open("a", encoding="utf-8")

    def add(self, stage: str, item_id: str, reasons: Sequence[str]) -> None:
        """Note one item; it is on the disk when this returns."""
        self._file.write(_ASIDE.dump_json(Aside(stage, item_id, tuple(reasons))).decode() + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def read(path: Path) -> list[Aside]:
    """The items in `path`, each once, with the reasons of the last time, in the order in which they first came.

    Empty if there is no file. Raises DataError naming file and line.
    """
    items: dict[tuple[str, str], Aside] = {}
    for number, line in enumerate(whole_lines(path), start=1):
        try:
            item = _ASIDE.validate_json(line)
        except ValidationError as error:
            raise DataError(f"{path}:{number}: {error.errors()[0]['msg']}; mend or delete the line") from error
        items[item.stage, item.id] = item
    return list(items.values())
