"""A question in a language model's words.

What is proved is the formal question. A rewording is taken if it keeps every name, condition and "other" of the
template, asks for the same kind of thing, and adds no name of the chain. That it asks nothing else is the model's to
see to: no machine here reads English.
"""

import re
from collections.abc import Sequence

from envs.network.outcomes import Item
from kisa.graph import KnowledgeGraph
from kisa.names import occurs, tokens
from kisa.proofs import unspoken
from medrl.chat import without_thought
from medrl.types import Message, Question

STAGE = "wording"
_LONGEST = 2.5
_OTHER = frozenset(("other", "another", "second", "different"))
_ASKED = {
    "gene": frozenset(("gene", "genes")),
    "disease": frozenset(("disease", "disorder", "condition", "syndrome", "illness", "diagnosis")),
    "phenotype": frozenset(("finding", "sign", "feature", "manifestation", "symptom", "abnormality")),
}
_TASK = """\
You reword questions for a medical quiz. The question you are given has one answer, which you are not told. Say it in
other words, as a clinician would ask it. Keep each quoted name as it is written, keep every condition and their order
of dependence, add no fact, no name and no hint, and ask for the same thing. Reply with the question alone, on one
line."""


def wording_items(graph: KnowledgeGraph, questions: Sequence[Question]) -> list[Item[str]]:
    """What to ask for each question; a reply that cannot stand in its place is read as none."""
    return [_item(graph, question) for question in questions]


def _everyday(graph: KnowledgeGraph, question: Question) -> list[str]:
    """Everyday names of findings that the text must not name."""
    hidden = [entity for entity in question.entities[1:] if entity.kind == "phenotype"]
    terms = [graph.facts[entity.id].term for entity in hidden]
    return [lay for term in terms if term is not None for lay in term.lay]


def _item(graph: KnowledgeGraph, question: Question) -> Item[str]:
    names = [*question.anchors, *(branch.subject.name for branch in question.branches)]
    quoted = ", ".join(f'"{name}"' for name in names)
    messages = [Message("system", _TASK), Message("user", f"Names to keep: {quoted}\nQuestion: {question.text}")]
    return Item(question.id, messages, lambda reply: read_wording(graph, question, reply))


def read_wording(graph: KnowledgeGraph, question: Question, reply: str) -> str | None:
    """The rewording in a reply, None if it is too long or short, of several lines, names too much or too little."""
    text = without_thought(reply).strip('"').strip()
    if "\n" in text or not text.endswith(("?", ".")) or re.search(r"[<>|]", text):
        return None
    words = set(tokens(text))
    if words.isdisjoint(_ASKED[question.relations[-1].object.kind]):
        return None
    if not _OTHER.isdisjoint(tokens(question.text)) and _OTHER.isdisjoint(words):
        return None
    if any(occurs(lay, text) for lay in _everyday(graph, question)):
        return None
    if not len(question.text) / _LONGEST <= len(text) <= len(question.text) * _LONGEST:
        return None
    return None if unspoken(graph, question, text) else text
