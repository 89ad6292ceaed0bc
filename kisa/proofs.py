"""Is the answer the only one, and does the question keep it to itself? Checked by machine on the full graph."""

from kisa.graph import KnowledgeGraph
from kisa.names import alike, occurs
from kisa.query import answers
from medrl.types import Question


def flaw(graph: KnowledgeGraph, question: Question) -> str | None:
    """What is wrong with a question, or None: its formal query has exactly one answer and the text does not leak.

    The text may name the anchors and nothing else of the chain: neither the answer, nor its aliases, nor an entity on
    the way.
    """
    gold = question.relations[-1].object
    found = answers(graph, question.query)
    if found != {gold.id}:
        return f"{len(found)} answers instead of {gold.name}"
    if len(question.query[1]) != question.hops or len(question.relations) != question.hops:
        return "the formal query has another length than the chain"
    for anchor in question.anchors:
        if not occurs(anchor, question.text):
            return f"the anchor {anchor} is not in the text"
        if alike(anchor, question.answer):
            return f"the anchor {anchor} gives away {question.answer}"
    hidden = list(question.entities[1:])
    if question.anchors[0] != question.relations[0].subject.name:
        hidden.append(question.relations[0].subject)
    for entity in hidden:
        for name in (entity.name, *graph.facts[entity.id].aliases):
            if occurs(name, question.text):
                return f"the text names {name}"
    return None
