"""Our own held-out questions, as `medrl synthesize` writes them: those that no training run has seen."""

from pathlib import Path

from envs.benchmarks.item import Item, ItemSet
from medrl.errors import DataError
from medrl.records import read_jsonl
from medrl.types import Question

NAME = "heldout"
QUESTIONS = "questions.jsonl"


def load_heldout(path: Path) -> ItemSet:
    """The held-out questions of a questions.jsonl, or of the folder that holds it. Raises DataError."""
    path = path / QUESTIONS if path.is_dir() else path
    questions = list(read_jsonl(path, Question))
    items = tuple(_item(question) for question in questions if question.split == "heldout")
    if not items:
        raise DataError(f"{path}: none of its {len(questions)} questions is held out: synthesize a dataset with some")
    return ItemSet(NAME, items)


def _item(question: Question) -> Item:
    """Its task is the kind of thing that it asks for, such as gene."""
    return Item(
        id=question.id,
        benchmark=NAME,
        prompt=question.text,
        answer=question.answer,
        aliases=question.aliases,
        task=question.relations[-1].object.kind if question.relations else "",
        hops=question.hops,
    )
