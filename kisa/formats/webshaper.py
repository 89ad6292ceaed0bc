"""WebShaper's dataset (arXiv 2507.15061): each question with its formalization, a list of triplets.

    ["C@Blue sclera (HP:1000001)", "presents_in", "V@Disease1"]      a hop, from a constant or a variable to a variable
    ["V@Disease1", "has_finding", "V@X"]                             V@X is what is asked for
    ["V@X", "organ_system", "C@ocular"]                              narrows the hop that leads to V@X
    ["C@Whites of the eyes (HP:1000001)", "lay_term_of", "V@Phenotype0"]     everyday words stand for a finding

A constant is written as the question says it; an entity has its id behind it. Different variables stand for different
entities, and none for one that is named: that is what "the other disease" means.
"""

import re
from collections.abc import Sequence
from typing import Any

from kisa.formats.placeholders import is_lay, values
from kisa.formats.urls import urls_of
from kisa.query import CONSTRAINTS, SHOWS, Step
from medrl.errors import DataError
from medrl.types import Query, Question

Triplet = tuple[str, str, str]

_LAY = "lay_term_of"
_NARROWS = (*CONSTRAINTS, SHOWS)
_TARGET = "V@X"
_ENTITY = re.compile(r"C@.* \(([^\s()]+)\)", re.DOTALL)


def webshaper_line(question: Question) -> dict[str, Any]:
    """A line of the file: WebShaper's fields, and the question's split behind them."""
    return {
        "id": question.id,
        "question": question.text,
        "formalization": [list(triplet) for triplet in formalization_of(question)],
        "answer": question.answer,
        "urls": list(urls_of(question)),
        "split": question.split,
    }


def formalization_of(question: Question) -> list[Triplet]:
    """The formal question as triplets: one a hop (of the first, one an anchor), with what narrows it behind it."""
    anchors, steps = question.query
    starts = [_constant(name, anchor) for name, anchor in zip(question.anchors, anchors, strict=True)]
    triplets: list[Triplet] = []
    if is_lay(question):
        variable = f"V@{question.relations[0].subject.kind.capitalize()}0"
        triplets.append((starts[0], _LAY, variable))
        starts = [variable]
    for hop, ((predicate, constraint, value), said) in enumerate(zip(steps, values(question), strict=True), start=1):
        kind = question.relations[hop - 1].object.kind
        variable = _TARGET if hop == len(steps) else f"V@{kind.capitalize()}{hop}"
        triplets += [(start, predicate, variable) for start in starts]
        if constraint:
            triplets.append((variable, constraint, _constant(said, value) if constraint == SHOWS else f"C@{value}"))
        starts = [variable]
    return triplets


def _constant(name: str, identifier: str) -> str:
    return f"C@{name} ({identifier})"


def query_of(formalization: Sequence[Sequence[str]]) -> Query:
    """The formal question that triplets spell, in whatever order its hops are; "?" may stand for V@X.

    Raises DataError if they are no path to V@X in which each hop is narrowed once at most.
    """
    triplets = [_triplet(each) for each in formalization]
    lay = {target: subject for subject, predicate, target in triplets if predicate == _LAY}
    narrowing = [each for each in triplets if each[1] in _NARROWS]
    hops = [each for each in triplets if each[1] not in (_LAY, *_NARROWS)]
    first = [each for each in hops if each[0].startswith("C@") or each[0] in lay]
    anchors = tuple(_identifier(lay.get(subject, subject)) for subject, _, _ in first)
    if len({(predicate, target) for _, predicate, target in first}) != 1:
        raise DataError("formalization: the hops that begin with a constant must lead to one variable in one way")
    steps: list[Step] = []
    onward = first[:1]
    used = len(first) - 1
    while onward:
        (_, predicate, variable), used = onward[0], used + 1
        constraint, value = _narrowed(variable, narrowing)
        steps.append((predicate, constraint, value))
        onward = [each for each in hops if each[0] == variable]
        if len(onward) > 1 or used > len(hops):
            raise DataError(f"formalization: {variable} must lead to one other variable at most")
    is_whole = used == len(hops) and sum(bool(step[1]) for step in steps) == len(narrowing)
    if variable != _TARGET or not is_whole or not set(lay) <= {subject for subject, _, _ in first}:
        raise DataError(f"formalization: the triplets are not one path that ends with {_TARGET}")
    return anchors, tuple(steps)


def _triplet(parts: Sequence[str]) -> Triplet:
    if len(parts) != 3:
        raise DataError(f"formalization: {list(parts)!r} has {len(parts)} parts instead of 3")
    predicate = parts[1]
    subject, target = (_TARGET if each == "?" else each for each in (parts[0], parts[2]))
    is_hop = predicate not in _NARROWS
    if not subject.startswith(("C@", "V@")) or not target.startswith("V@" if is_hop else "C@"):
        raise DataError(f"formalization: {list(parts)!r} must join constants (C@...) and variables (V@...)")
    return subject, predicate, target


def _narrowed(variable: str, narrowing: Sequence[Triplet]) -> tuple[str, str]:
    found = [each for each in narrowing if each[0] == variable]
    if len(found) > 1:
        raise DataError(f"formalization: {variable} is narrowed {len(found)} times, not once at most")
    if not found:
        return "", ""
    _, constraint, value = found[0]
    return constraint, _identifier(value) if constraint == SHOWS else value.removeprefix("C@")


def _identifier(constant: str) -> str:
    found = _ENTITY.fullmatch(constant)
    if found is None:
        raise DataError(f"formalization: {constant!r} has no id behind it, as C@Marfan syndrome (OMIM:154700) has")
    return found[1]
