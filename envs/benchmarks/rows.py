"""Rows of a CSV file, and cells that are base64."""

import base64
import binascii
import csv
from pathlib import Path

from medrl.errors import DataError


def read_rows(path: Path) -> list[list[str]]:
    """Header and rows, empty ones left out. Raises DataError for no file, no text or no rows."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = [row for row in csv.reader(lines, strict=True) if any(row)]
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: no CSV in UTF-8 ({error}): download it anew") from error
    if len(rows) < 2:
        raise DataError(f"{path}: no rows in it: download it anew")
    ragged = next((number for number, row in enumerate(rows, start=1) if len(row) != len(rows[0])), None)
    if ragged is not None:
        raise DataError(f"{path}: row {ragged} has {len(rows[ragged - 1])} cells, the header {len(rows[0])}: it is cut")
    return rows


def from_base64(cell: str) -> bytes:
    """Raises ValueError if the cell is no base64."""
    try:
        return base64.b64decode(cell, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{cell[:20]!r} is no base64") from error
