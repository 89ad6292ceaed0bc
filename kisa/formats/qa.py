"""The question file of MedResearcher-R1 (github.com/AQ-MedAI/MedResearcher-R1): JSON lines, each with masked guidance.

    question, answer          as they are asked and expected
    reasoning_path            the way to the answer; what it speaks of has placeholders
    entity_mapping            placeholder -> what it stands for
    generation_metadata       how it was made; under `medrl`, all else that we know of a question
    source_entity, sampling_algorithm, run_id, unique_id, domain_tags

Their `timestamp` is left out: the same dataset gives the same file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from kisa.formats.placeholders import is_lay, placeholders_of
from kisa.formats.reasoning_path import reasoning_path
from medrl.errors import DataError
from medrl.records import fault, read_jsonl
from medrl.types import Question

_QUESTION = TypeAdapter(Question)
_Text = Annotated[str, Field(pattern=r"\S")]


@dataclass(frozen=True, slots=True)
class QAItem:
    """A question as others know it, with what they say of its solution. `question`: ours, with the proof, if it came
    from us; a text alone proves nothing."""

    text: str
    answer: str
    reasoning_path: str
    entity_mapping: Mapping[str, str]
    id: str | None
    question: Question | None


@dataclass(frozen=True, slots=True)
class _Metadata:
    medrl: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """What is read of a line. Files that were made by hand have the first two alone."""

    question: _Text
    answer: _Text
    reasoning_path: str = ""
    entity_mapping: dict[str, str] = field(default_factory=dict)
    generation_metadata: _Metadata = _Metadata()
    unique_id: str | None = None
    messages: Any = None


def qa_line(question: Question, run: str) -> dict[str, Any]:
    """A line of the file. `run`: the name of the run that made the question.

    We do not keep the seed that a question was grown from: `source_entity` is where its chain begins.
    """
    marks = placeholders_of(question)
    ours = _QUESTION.dump_python(question, mode="json")
    del ours["text"], ours["answer"]
    return {
        "unique_id": question.id,
        "question": question.text,
        "answer": question.answer,
        "reasoning_path": reasoning_path(question),
        "entity_mapping": dict(marks.names),
        "generation_metadata": {
            "generation_method": "kisa",
            "target_entity": question.answer,
            "nodes_used": len(question.entities) + len(question.clues) + len(question.branches),
            "obfuscation_strategies": int(is_lay(question)),
            "medrl": ours,
        },
        "source_entity": question.relations[0].subject.name,
        "run_id": run,
        "sampling_algorithm": "max_chain",
        "domain_tags": [question.specialty],
    }


def read_qa(path: Path) -> Iterator[QAItem]:
    """The file's questions, ours or others'. Raises DataError naming file and line."""
    for number, line in enumerate(read_jsonl(path, _Line), start=1):
        if line.messages is not None:
            raise DataError(f"{path}:{number}: a trajectory, not a question: `medrl import messages` reads it")
        question = None
        if line.generation_metadata.medrl is not None:
            ours = line.generation_metadata.medrl | {"text": line.question, "answer": line.answer}
            try:
                question = _QUESTION.validate_python(ours)
            except ValidationError as error:
                raise DataError(f"{path}:{number}: generation_metadata.medrl.{fault(error)}") from error
        yield QAItem(line.question, line.answer, line.reasoning_path, line.entity_mapping, line.unique_id, question)
