"""Where a relation stands written: the document, and the letters of its text that name the other end."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from envs.corpus import Document
from medrl.records import read_jsonl
from medrl.types import Question, Relation

#: Labels of lists that name what is not linked, or by another relation.
_STATES_NONE = ("absent", "narrower findings", "also")
#: Document id -> the document.
Documents = Mapping[str, Document]


def read_documents(knowledge: Path) -> Documents:
    """What the retriever of a knowledge folder searches. Raises DataError."""
    return {document.id: document for document in read_jsonl(knowledge / "corpus.jsonl", Document)}


def locate_evidence(question: Question, documents: Documents) -> Question:
    """The question with `document` and `span` in the provenance of each relation that a document states."""
    chain, clues, branches = (
        tuple(_located(relation, documents) for relation in relations)
        for relations in (question.relations, question.clues, question.branches)
    )
    return replace(question, relations=chain, clues=clues, branches=branches)


def _located(relation: Relation, documents: Documents) -> Relation:
    """`span`: "start:end" in `Document.text`, of the subject's document if it names the object, else the other way."""
    for owner, named in ((relation.subject, relation.object), (relation.object, relation.subject)):
        document = documents.get(owner.id)
        start = next(_places(document, named.name), None) if document else None
        if document and start is not None:
            found = {"document": document.id, "span": f"{start}:{start + len(named.name)}"}
            return replace(relation, provenance={**relation.provenance, **found})
    return relation


def _places(document: Document, name: str) -> Iterator[int]:
    """Where in `document.text` a name stands as an item of a list that states relations."""
    begin = len(document.title) + 2
    for section in document.sections:
        label, _, _ = section.partition(": ")
        if not label.removeprefix("More ").lower().startswith(_STATES_NONE):
            for item in re.finditer(rf"(?<=[:;] ){re.escape(name)}(?=;|\.$)", section):
                yield begin + item.start()
        begin += len(section) + 1


def unlocated(question: Question, documents: Documents) -> str | None:
    """The first relation whose provenance does not lead to where a document states it, or None."""
    for relation in (*question.relations, *question.clues, *question.branches):
        document = documents.get(relation.provenance.get("document", ""))
        start, _, end = relation.provenance.get("span", "0:0").partition(":")
        named = {relation.subject.id: relation.object, relation.object.id: relation.subject}
        other = named.get(document.id) if document else None
        stated = document is not None and other is not None and int(start) in _places(document, other.name)
        if document is None or other is None or not stated or document.text[int(start) : int(end)] != other.name:
            return f"{relation.subject.name} {relation.predicate} {relation.object.name}"
    return None
