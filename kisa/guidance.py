"""Masked trajectory guidance (arXiv 2508.14880): the path's structure without its entities.

From {(e_1, r_1, e_2), ...} the teacher gets {([MASK], r_i, [MASK])}. It must find every entity with the tools.
"""

from typing import NamedTuple

from medrl.types import Question

MASK = "[MASK]"


class MaskedRelation(NamedTuple):
    """One hop of the structure. `relation` is a predicate, with the kind of its constraint after a slash."""

    subject: str
    relation: str
    object: str


def mask(question: Question) -> tuple[MaskedRelation, ...]:
    """The structure of a question's chain, hop by hop.

    A chain that begins with everyday words has one relation more, `lay_term_of`; a first hop over several findings is
    `presents_in/all`. A constraint shows its kind ("has_finding/organ_system"), never its value: that is in the text.
    """
    relations = [
        f"{predicate}/{constraint}" if constraint else predicate for predicate, constraint, _ in question.query[1]
    ]
    if question.clues:
        relations[0] = "presents_in/all"
    elif question.anchors and question.anchors[0] != question.relations[0].subject.name:
        relations.insert(0, "lay_term_of")
    return tuple(MaskedRelation(MASK, relation, MASK) for relation in relations)
