"""MedBrowseComp (arXiv:2505.14963): facts about a trial's drugs, each a step further from the trial than the last.

The file is final50_…_b64.csv or final121_…_b64.csv (605 rows) of github.com/shan23chen/MedBrowseComp, or the CSV of the
Hugging Face dataset AIM-Harvard/MedBrowseComp: columns prompt, gold and a third, either plain, or each cell, headers
too, shifted by three code points and then in base64, so that no one trains on it by accident.

The third column's header is wrong in the 50 set, so the task is read from what the prompt asks for. Hops are those of
the published analysis, which numbers the five questions about a trial from 1 to 5; other questions have none. Gold that
is NA, not listed or empty marks an NA row, as there.
"""

import json
from pathlib import Path

from envs.benchmarks.absence import is_absence
from envs.benchmarks.item import Item, ItemSet
from envs.benchmarks.rows import from_base64, read_rows
from medrl.errors import DataError
from medrl.normal import date

NAME = "medbrowsecomp"
SHIFT = 3
COMPANY, PATENT_EXPIRY, STOCK_PRICE = "company", "patent expiry", "stock price"
_COLUMNS = {"prompt", "gold"}
#: What a prompt asks for last: words of it, task, hops. The first that is found counts, as later tasks hold earlier.
_TASKS = (
    ("opening stock price", STOCK_PRICE, 5),
    ("exclusivity date", "exclusivity date", 4),
    ("patent expiration date", PATENT_EXPIRY, 3),
    ("COMPANY:", COMPANY, 2),
    ("INGREDIENT:", "ingredient", 1),
)


def load_medbrowsecomp(path: Path) -> ItemSet:
    """The items, in the file's order. Raises DataError."""
    header, *rows = read_rows(path)
    if not _COLUMNS.issubset(header):
        try:
            header = _decoded_header(header)
            if not _COLUMNS.issubset(header):
                raise DataError(
                    f"{path}: its columns are {', '.join(header)}; give MedBrowseComp's CSV with prompt and gold"
                )
            rows = [[decode(cell) for cell in row] for row in rows]
        except ValueError as error:
            raise DataError(f"{path}: neither plain nor encoded as published ({error}): download it anew") from error
    return ItemSet(
        NAME, tuple(_item(number, dict(zip(header, row, strict=True))) for number, row in enumerate(rows, 1))
    )


def _decoded_header(header: list[str]) -> list[str]:
    """What it says; itself where it is plain text. Raises ValueError where it is neither."""
    try:
        decoded = [decode(cell) for cell in header]
    except ValueError:
        if all(cell.isprintable() for cell in header):
            return header
        raise
    return decoded if all(cell.isprintable() for cell in decoded) else header


def decode(cell: str) -> str:
    """What an encoded cell says. Raises ValueError if it is no such cell."""
    return "".join(chr(ord(char) - SHIFT) for char in from_base64(cell).decode("utf-8"))


def _item(number: int, row: dict[str, str]) -> Item:
    prompt, gold = _unquoted(row["prompt"]), row["gold"].replace("_", " ").strip()
    task, hops = next(
        ((task, hops) for words, task, hops in _TASKS if words in prompt), (row.get("task_name", "").strip(), None)
    )
    return Item(
        id=f"{NAME}-{number:04}",
        benchmark=NAME,
        prompt=prompt,
        answer=gold or "NA",
        aliases=_aliases(prompt, gold, task),
        task=task,
        hops=hops,
        is_na=is_absence(gold),
    )


def _unquoted(prompt: str) -> str:
    """The 50 set's prompts are JSON strings within their cells."""
    text = prompt.strip()
    if not (text.startswith('"') and text.endswith('"')):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _aliases(prompt: str, gold: str, task: str) -> tuple[str, ...]:
    """The gold as precise as the prompt asks for it: the year of a date, and a price in cents, as markets have them."""
    day = date(gold)
    if task == PATENT_EXPIRY and day is not None and "YYYY" in prompt and "MM" not in prompt:
        return (str(day[0]),)
    if task == STOCK_PRICE and not is_absence(gold):
        try:
            return (f"{float(gold):.2f}",)
        except ValueError:
            return ()
    return ()
