"""GAIA (arXiv:2311.12983): questions to general assistants, in three levels.

`path` is metadata.jsonl as published (task_id, Question, Level, Final answer, file_name), or the folder of one; a
question's attachment lies beside it. An attachment that is text is shown after the question. Left out, and counted:
questions whose attachment is not there, is no text or is too long, and those of the test set, whose answers are secret.
"""

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from envs.benchmarks.item import Item, ItemSet
from medrl.errors import DataError
from medrl.records import fault

NAME = "gaia"
METADATA = "metadata.jsonl"
LONGEST_ATTACHMENT = 20_000
"""Characters of an attachment that can be shown; longer ones would fill the agent's window."""
_TEXTS = frozenset((".csv", ".json", ".jsonld", ".md", ".pdb", ".py", ".txt", ".xml"))


class _Row(BaseModel):
    task_id: str
    question: Annotated[str, Field(alias="Question", min_length=1)]
    level: Annotated[int, Field(alias="Level", ge=1, le=3)]
    answer: Annotated[str, Field(alias="Final answer", coerce_numbers_to_str=True)]
    file_name: str | None = ""


class _LeftOut(Exception):
    """This question cannot be asked. Its text is the reason."""


def load_gaia(path: Path) -> ItemSet:
    """The items that can be asked, in the file's order. Raises DataError."""
    path = path / METADATA if path.is_dir() else path
    items: list[Item] = []
    left_out: dict[str, int] = {}
    for row in _rows(path):
        try:
            items.append(_item(row, path.parent))
        except _LeftOut as reason:
            left_out[str(reason)] = left_out.get(str(reason), 0) + 1
    if not items:
        reasons = "; ".join(f"{count} left out: {reason}" for reason, count in left_out.items())
        raise DataError(f"{path}: no question that can be asked ({reasons or 'it is empty'}): give the validation set")
    return ItemSet(NAME, tuple(items), left_out)


def _rows(path: Path) -> list[_Row]:
    rows: list[_Row] = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}: give GAIA's {METADATA}, or the folder that holds it") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: no UTF-8: download it anew") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(_Row.model_validate(json.loads(line)))
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{number}: no JSON: download it anew") from error
        except ValidationError as error:
            raise DataError(f"{path}:{number}: {fault(error)}: no line of GAIA's {METADATA}") from error
    return rows


def _item(row: _Row, folder: Path) -> Item:
    """Raises _LeftOut."""
    if row.answer.strip() in ("", "?"):
        raise _LeftOut("its answer is secret")
    prompt = row.question.strip()
    if row.file_name:
        prompt += f"\n\nThe file {row.file_name} reads:\n{_attachment(folder, row.file_name)}"
    return Item(id=row.task_id, benchmark=NAME, prompt=prompt, answer=row.answer.strip(), level=row.level)


def _attachment(folder: Path, name: str) -> str:
    path = folder / name
    if Path(name).name != name or not path.is_file():
        raise _LeftOut("its attachment is not there")
    if path.suffix.lower() not in _TEXTS:
        raise _LeftOut("its attachment is no text")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise _LeftOut("its attachment is no text") from None
    if len(text) > LONGEST_ATTACHMENT:
        raise _LeftOut("its attachment is too long")
    return text
