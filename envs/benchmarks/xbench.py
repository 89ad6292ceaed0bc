"""XBench-DeepSearch (github.com/xbench-ai/xbench-evals): questions in Chinese that need a long search.

A CSV with columns id, prompt, answer, reference_steps and canary; prompt and answer are encrypted, so that no one
trains on them by accident: base64 of the UTF-8 bytes XORed with those of the row's canary, over and over.
"""

from itertools import cycle
from pathlib import Path

from envs.benchmarks.item import Item, ItemSet
from envs.benchmarks.rows import from_base64, read_rows
from medrl.errors import DataError

NAME = "xbench"
_COLUMNS = ("id", "prompt", "answer", "canary")


def load_xbench(path: Path) -> ItemSet:
    """The items, in the file's order. Raises DataError."""
    header, *rows = read_rows(path)
    missing = [column for column in _COLUMNS if column not in header]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}; give XBench's DeepSearch CSV as published")
    return ItemSet(NAME, tuple(_item(path, dict(zip(header, row, strict=True))) for row in rows))


def decrypt(cell: str, canary: str) -> str:
    """What a cell says. Raises ValueError if it was not encrypted with this canary."""
    if not canary:
        raise ValueError("the canary is empty")
    return bytes(byte ^ key for byte, key in zip(from_base64(cell), cycle(canary.encode()), strict=False)).decode(
        "utf-8"
    )


def _item(path: Path, row: dict[str, str]) -> Item:
    try:
        prompt, answer = (decrypt(row[column], row["canary"]).strip() for column in ("prompt", "answer"))
    except ValueError as error:
        raise DataError(f"{path}: row {row['id']} cannot be decrypted ({error}): download it anew") from error
    if not prompt or not answer:
        raise DataError(f"{path}: row {row['id']} has no prompt or no answer: download it anew")
    return Item(id=f"{NAME}-{row['id']}", benchmark=NAME, prompt=prompt, answer=answer)
