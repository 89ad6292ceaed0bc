"""JSON lines for the dataclasses of this project, validated on reading and written whole or not at all."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError

from medrl.errors import DataError

T = TypeVar("T")
_BLOCK = 1 << 16
"""Bytes read at once."""


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` atomically: a crash or a full disk leaves what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def to_jsonl(items: Iterable[Any]) -> str:
    """Dataclass instances or plain values, one a line."""
    adapters: dict[type[Any], TypeAdapter[Any]] = {}  # making one costs as much as writing a hundred records

    def line(item: Any) -> str:
        adapter = adapters.setdefault(type(item), adapters.get(type(item)) or TypeAdapter(type(item)))
        return adapter.dump_json(item).decode() + "\n"

    return "".join(map(line, items))


def write_jsonl(path: Path, items: Iterable[Any]) -> None:
    """Write dataclass instances, one a line, atomically."""
    write_text(path, to_jsonl(items))


def append_lines(path: Path) -> TextIO:
    """Open `path` to append whole lines. A last one that was cut off, left by a crash, is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        with path.open("r+b") as file:
            keep_whole_lines(file)
    return path.open("a", encoding="utf-8")


def keep_whole_lines(file: BinaryIO) -> int:
    """Cut off a last line that a crash left unfinished. Returns the bytes that stay; reads only from the file's end."""
    end = file.seek(0, os.SEEK_END)
    whole = 0
    while end and not whole:
        start = max(0, end - _BLOCK)
        file.seek(start)
        whole = start + last + 1 if (last := file.read(end - start).rfind(b"\n")) >= 0 else 0
        end = start
    file.truncate(whole)
    return whole


def write_json(path: Path, value: Any) -> None:
    """Write plain JSON, indented, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def writing_tensors(folder: Path) -> Iterator[None]:
    """Around the writing of *.safetensors below `folder`: raises DataError without room, as their writer's own error is
    no OSError."""
    try:
        yield
    except SafetensorError as error:
        raise DataError(f"{folder}: the weights could not be written ({error}): make room there") from error


def whole_lines(path: Path) -> list[str]:
    """The lines of a file that is appended to, without a last one that was cut off; none if there is no file.

    Raises DataError if they are not UTF-8.
    """
    if not path.exists():
        return []
    *whole, _ = path.read_bytes().split(b"\n")
    try:
        return [line.decode("utf-8") for line in whole]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8, so it is damaged: delete it") from error


def read_jsonl(path: Path, record: type[T]) -> Iterator[T]:
    """Yield the file's lines as `record`. Raises DataError naming file and line."""
    adapter = TypeAdapter(record)
    try:
        with path.open("rb") as lines:  # as bytes, so that a line that is not UTF-8 is known by its number
            for number, line in enumerate(lines, start=1):
                try:
                    yield adapter.validate_json(line)
                except ValidationError as error:
                    raise DataError(f"{path}:{number}: {fault(error)}") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


def fault(error: ValidationError) -> str:
    """The first thing that is wrong: where, and what."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else str(first["msg"])
