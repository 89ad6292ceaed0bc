"""Placeholders for what a question is about, so that guidance can speak of it without a name.

Clue_1, Clue_2, ...         what the question says: its anchors, then what narrows its hops, in their order
Entity_A, Entity_B, ...     what lies on the way, nearest to the anchors first
Target_Entity               the answer
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, product
from string import ascii_uppercase

from kisa.query import SHOWS
from medrl.types import Question

_LETTERS = (*ascii_uppercase, *map("".join, product(ascii_uppercase, repeat=2)))


@dataclass(frozen=True, slots=True)
class Placeholders:
    """`entities`: one for each of the chain, a clue where the question names it. `anchors` and `narrowing` are clues;
    `narrowing` has one for each hop, "" where nothing narrows it. `names`: placeholder -> what it stands for."""

    anchors: tuple[str, ...]
    entities: tuple[str, ...]
    narrowing: tuple[str, ...]
    names: Mapping[str, str]


def is_lay(question: Question) -> bool:
    """Whether the question begins with everyday words for a finding, whose name it keeps to itself."""
    return not question.clues and question.anchors[0] != question.relations[0].subject.name


def placeholders_of(question: Question) -> Placeholders:
    """The placeholders of a question."""
    numbers = (f"Clue_{number}" for number in count(1))
    letters = (f"Entity_{letter}" for letter in _LETTERS)
    anchors = tuple(next(numbers) for _ in question.anchors)
    narrowing = tuple(next(numbers) if constraint else "" for _, constraint, _ in question.query[1])
    first = next(letters) if is_lay(question) else anchors[0]
    entities = (first, *(next(letters) for _ in question.relations[1:]), "Target_Entity")
    names = dict(zip(anchors, question.anchors, strict=True))
    names |= {clue: said for clue, said in zip(narrowing, values(question), strict=True) if clue}
    names |= {each: entity.name for each, entity in zip(entities, question.entities, strict=True) if each not in names}
    return Placeholders(anchors, entities, narrowing, names)


def values(question: Question) -> tuple[str, ...]:
    """What narrows each hop, as the question says it; "" where nothing does."""
    findings = {branch.subject.id: branch.subject.name for branch in question.branches}
    return tuple(findings[value] if constraint == SHOWS else value for _, constraint, value in question.query[1])
