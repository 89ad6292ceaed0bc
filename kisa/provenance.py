"""Where a relation stands written: the document, and the letters of its text that name the other end."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from envs.corpus import Document
from medrl.records import read_jsonl
from medrl.types import Question, Relation

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
        if document is None:
            continue
        place = re.search(rf"(?<!\w){re.escape(named.name)}(?!\w)", document.text)
        if place:
            found = {"document": document.id, "span": f"{place.start()}:{place.end()}"}
            return replace(relation, provenance={**relation.provenance, **found})
    return relation


def unlocated(question: Question, documents: Documents) -> str | None:
    """The first relation whose provenance does not lead to a document that names one of its ends there, or None."""
    for relation in (*question.relations, *question.clues, *question.branches):
        document = documents.get(relation.provenance.get("document", ""))
        start, _, end = relation.provenance.get("span", "0:0").partition(":")
        if document is None or document.text[int(start) : int(end)] not in (
            relation.subject.name,
            relation.object.name,
        ):
            return f"{relation.subject.name} {relation.predicate} {relation.object.name}"
    return None
