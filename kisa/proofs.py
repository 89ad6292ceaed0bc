"""Is the answer the only one, and does the question keep it to itself? Checked by machine on the full graph."""

from dataclasses import replace

from kisa.graph import KnowledgeGraph
from kisa.names import alike, occurs
from kisa.query import CONSTRAINTS, SHOWS, Step, answers, functional_relations, has_other_answer
from medrl.types import Entity, Query, Question


def flaw(graph: KnowledgeGraph, question: Question) -> str | None:
    """What is wrong with a question, or None: its formal query has exactly one answer and the text does not leak.

    The text may name the anchors and nothing else of the chain: neither the answer, nor its aliases, nor an entity on
    the way.
    """
    if several := ambiguous(graph, question):
        return several
    if len(question.query[1]) != question.hops or len(question.relations) != question.hops:
        return "the formal query has another length than the chain"
    if not_needed := needless(graph, question.query, question.relations[-1].object.id):
        return f"{not_needed} is not needed"
    for anchor in (*question.anchors, *(branch.subject.name for branch in question.branches)):
        if alike(anchor, question.answer):
            return f"the anchor {anchor} gives away {question.answer}"
    return unspoken(graph, question, question.text) or shortcut(graph, question)


def ambiguous(graph: KnowledgeGraph, question: Question) -> str | None:
    """What is wrong unless the formal query has the chain's end as its one answer."""
    gold = question.relations[-1].object
    found = answers(graph, question.query)
    return None if found == {gold.id} else f"{len(found)} answers instead of {gold.name}"


def unspoken(graph: KnowledgeGraph, question: Question, text: str) -> str | None:
    """Why `text` does not put the formal question into words: a name or constraint is missing, or one is there that
    should not be."""
    for anchor in (*question.anchors, *(branch.subject.name for branch in question.branches)):
        if not occurs(anchor, text):
            return f"the anchor {anchor} is not in the text"
    for _, constraint, value in question.query[1]:
        if constraint in CONSTRAINTS and not occurs(value, text):
            return f"the constraint {value} is not in the text"
    return leak(graph, replace(question, text=text))


def leak(graph: KnowledgeGraph, question: Question) -> str | None:
    """A name in the text that should not be there: the answer's, an alias, or that of an entity on the way."""
    hidden = list(question.entities[1:])
    if question.anchors[0] != question.relations[0].subject.name:
        hidden.append(question.relations[0].subject)
    for entity in hidden:
        for name in (entity.name, *graph.facts[entity.id].aliases):
            if occurs(name, question.text):
                return f"the text names {name}"
    return None


def shortcut(graph: KnowledgeGraph, question: Question) -> str | None:
    """A way from a named entity to the answer that has fewer hops than the question takes from there, each with one
    follower only, so that it could be gone without the rest of the question."""
    answer = question.relations[-1].object
    starts = [(relation.subject, question.hops) for relation in (question.relations[0], *question.clues)]
    ends = {relation.object.id: hop for hop, relation in enumerate(question.relations)}
    starts += [(branch.subject, question.hops - ends[branch.object.id]) for branch in question.branches]
    for start, distance in starts:
        if _reaches(graph, (start,), answer, distance - 1):
            return f"{answer.name} is fewer than {distance} hops from {start.name}"
    return None


def _reaches(graph: KnowledgeGraph, path: tuple[Entity, ...], answer: Entity, hops: int) -> bool:
    if hops < 1:
        return False
    for relation in functional_relations(graph, path[-1], {each.id for each in path}):
        if relation.object is answer or _reaches(graph, (*path, relation.object), answer, hops - 1):
            return True
    return False


def needless(graph: KnowledgeGraph, query: Query, answer: str) -> str | None:
    """What the formal question has the same one `answer` without: an anchor among several, a constraint, or all that
    comes before a finding that narrows a hop.

    Leaving something out can only add answers, so it is needed if there is another one then.
    """
    anchors, steps = query
    for anchor in anchors if len(anchors) > 1 else ():
        others = tuple(each for each in anchors if each != anchor)
        if not has_other_answer(graph, (others, steps), answer):
            return f"the clue {graph.entities[anchor].name}"
    for place, (predicate, constraint, value) in enumerate(steps):
        if constraint:
            without = (*steps[:place], (predicate, "", ""), *steps[place + 1 :])
            if not has_other_answer(graph, (anchors, without), answer):
                return f"the constraint {constraint} {value} of hop {place + 1}"
        if constraint == SHOWS and _leads_alone(graph, value, steps[place + 1 :], answer):
            return f"what comes before {graph.entities[value].name}, which leads to the answer alone,"
    return None


def _leads_alone(graph: KnowledgeGraph, finding: str, steps: tuple[Step, ...], answer: str) -> bool:
    return answers(graph, ((finding,), (("presents_in", "", ""), *steps))) == {answer}
