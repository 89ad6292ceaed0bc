"""A question in a language model's words. They are taken only if machine can see that they ask the same.

What is proved is the formal question. A rewording keeps every name and condition that the template names and adds no
name of the chain, so what was proved of the template holds of it; whether it reads well is the model's to see to.
"""

from collections.abc import Sequence

from envs.outcomes import Item
from kisa.graph import KnowledgeGraph
from kisa.proofs import unspoken
from medrl.types import Message, Question

STAGE = "wording"
_LONGEST = 2.5
_TASK = """\
You reword questions for a medical quiz. The question you are given has one answer, which you are not told. Say it in
other words, as a clinician would ask it. Keep each quoted name as it is written, keep every condition and their order
of dependence, add no fact, no name and no hint, and ask for the same thing. Reply with the question alone, on one
line."""


def wording_items(graph: KnowledgeGraph, questions: Sequence[Question]) -> list[Item[str]]:
    """What to ask for each question; a reply that cannot stand in its place is read as none."""
    return [_item(graph, question) for question in questions]


def _item(graph: KnowledgeGraph, question: Question) -> Item[str]:
    names = [*question.anchors, *(branch.subject.name for branch in question.branches)]
    quoted = ", ".join(f'"{name}"' for name in names)
    messages = [Message("system", _TASK), Message("user", f"Names to keep: {quoted}\nQuestion: {question.text}")]
    return Item(question.id, messages, lambda reply: read_wording(graph, question, reply))


def read_wording(graph: KnowledgeGraph, question: Question, reply: str) -> str | None:
    """The rewording in a reply, None if it is too long or short, of several lines, names too much or too little."""
    text = reply.strip().strip('"').strip()
    if "\n" in text or not text.endswith(("?", ".")):
        return None
    if not len(question.text) / _LONGEST <= len(text) <= len(question.text) * _LONGEST:
        return None
    return None if unspoken(graph, question, text) else text
