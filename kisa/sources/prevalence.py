"""Prevalence classes as Orphanet prints them, from a table that the user supplies (`knowledge.prevalence`).

    disease	prevalence
    ORPHA:558	1-5 / 10 000

Tab-separated, below that header. A class's weight is the geometric mean of its bounds over that of 1-9 / 1 000 000; a
disease that no line names weighs 1 as well, as nearly all in these catalogues are about that rare or are not counted.
"""

from pathlib import Path

from kisa.sources.text_lines import table_rows
from medrl.errors import DataError

_COLUMNS = ("disease", "prevalence")
PREVALENCE_WEIGHTS = {
    ">1 / 1000": 1000.0,
    "6-9 / 10 000": 250.0,
    "1-5 / 10 000": 75.0,
    "1-9 / 100 000": 10.0,
    "1-9 / 1 000 000": 1.0,
    "<1 / 1 000 000": 0.1,
    "Unknown": 1.0,
    "Not yet documented": 1.0,
}
_CLASSES = {"".join(each.split()).lower(): each for each in PREVALENCE_WEIGHTS}


def read_prevalence(path: Path) -> dict[str, str]:
    """Disease id -> its class, a key of PREVALENCE_WEIGHTS. Raises DataError naming file and line."""
    found: dict[str, str] = {}
    for number, cells in table_rows(path, _COLUMNS):
        stated = _CLASSES.get("".join(cells[-1].split()).lower())
        if len(cells) != len(_COLUMNS) or stated is None:
            raise DataError(f"{path}:{number}: not a disease id and one of {'; '.join(PREVALENCE_WEIGHTS)}")
        if found.setdefault(cells[0], stated) != stated:
            raise DataError(f"{path}:{number}: {cells[0]} is in two classes; keep one line of it")
    if not found:
        raise DataError(f"{path}: no disease in it; list some, or set knowledge.prevalence=null")
    return found
