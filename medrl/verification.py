"""Search, verify, synthesise: does looking again go with being right? (arXiv:2508.14880, section on emergent patterns)

    search      a call for something that no observation has shown yet
    verify      a call that looks again, by another query, tool or document, at what was shown before: the answer that
                is given later, or an entity that an earlier call asked about and found
    repeat      the same call once more, which can tell nothing new
    synthesise  the answer
    fault       a turn that brought nothing: malformed, or refused by the tool

What comes of it is correlation: nobody made an agent verify, it did so where it would.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from medrl.evaluation import wilson
from medrl.normal import mentions
from medrl.types import Ending, Rollout, Step

FEWEST = 5
"""Episodes with, and without, a verification, below which no difference is told."""
MOST_TOLD_APART = 3
"""So many verifications and more are one row."""


class Part(StrEnum):
    """What a turn was for."""

    SEARCH = "search"
    VERIFY = "verify"
    REPEAT = "repeat"
    SYNTHESISE = "synthesise"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Traced:
    """One episode that called a tool and then answered. `hops`: of its question, None where they are not known."""

    hops: int | None
    verifications: int
    is_correct: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """Share of right answers with a verification minus that without one, and its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """Episodes with so many verifications, those that were right, and Wilson's 95% interval of their share."""

    verifications: int
    episodes: int
    correct: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """`rows`: the last is of MOST_TOLD_APART and more. `crude`: of all episodes; `stratified`: within questions of
    equal hops, so that easy questions, which need no second look, do not pass for its doing; None where there are too
    few episodes to say, or all came to the same, or hops are not known."""

    rows: tuple[Row, ...]
    crude: Difference | None
    stratified: Difference | None


def parts(rollout: Rollout, question: str) -> list[Part]:
    """What each step was for. Names in the question are given, so asking about them again is another search."""
    found: list[Part] = []
    earlier: list[Step] = []
    for turn, step in enumerate(rollout.steps, start=1):
        found.append(_part(step, turn, rollout, question, earlier))
        if step.call is not None and step.status == "ok":
            earlier.append(step)
    return found


def trace(rollout: Rollout, question: str, hops: int | None, is_correct: bool) -> Traced | None:
    """None for an episode without an answer, or without a call that brought something: it could not have verified."""
    found = parts(rollout, question)
    if rollout.ending is not Ending.ANSWERED or not {Part.SEARCH, Part.VERIFY} & set(found):
        return None
    return Traced(hops, found.count(Part.VERIFY), is_correct)


def analyse(traced: Sequence[Traced]) -> Analysis:
    """One episode a question."""
    rows = []
    for count in sorted({min(each.verifications, MOST_TOLD_APART) for each in traced}):
        of_it = [each.is_correct for each in traced if min(each.verifications, MOST_TOLD_APART) == count]
        rows.append(Row(count, len(of_it), sum(of_it), *wilson(sum(of_it), len(of_it))))
    return Analysis(
        tuple(rows),
        _difference(traced, lambda each: 0),
        _difference([each for each in traced if each.hops is not None], lambda each: each.hops or 0),
    )


def _part(step: Step, turn: int, rollout: Rollout, question: str, earlier: Sequence[Step]) -> Part:
    if step.status == "answer":
        return Part.SYNTHESISE
    if step.call is None or step.status != "ok":
        return Part.FAULT
    if any(step.call == other.call for other in earlier):
        return Part.REPEAT
    asked = _asked(step)
    answer = rollout.answer or ""
    if answer and not mentions(question, answer):
        showed = [other for other in earlier if mentions(other.observation, answer)]
        sources = {source for other in showed for source in other.sources}
        if showed and any(mentions(asked, name) for name in (answer, *sources)):
            return Part.VERIFY
    known = {name for fact in rollout.state.facts if fact.turn < turn for name in (fact.subject, fact.object)}
    again = (name for name in known if mentions(asked, name) and not mentions(question, name))
    if any(mentions(_asked(other), name) and mentions(other.observation, name) for name in again for other in earlier):
        return Part.VERIFY
    return Part.SEARCH


def _asked(step: Step) -> str:
    """What a call asks for, as text."""
    return json.dumps(dict(step.call.arguments), ensure_ascii=False) if step.call is not None else ""


def _difference(traced: Sequence[Traced], stratum: Callable[[Traced], int]) -> Difference | None:
    """The Mantel-Haenszel risk difference (Greenland and Robins 1985).

    Its interval has Newcombe's of every stratum (1998, method 10), whose distances from the difference are added as
    squares by the strata's weights (Yan and Su 2010). A bootstrap would shrink to a point where all that verified are
    right and none of the others.
    """
    num_verified = sum(each.verifications > 0 for each in traced)
    if min(num_verified, len(traced) - num_verified) < FEWEST or len({each.is_correct for each in traced}) < 2:
        return None
    found = []
    for of_it in sorted({stratum(each) for each in traced}):
        inside = [each for each in traced if stratum(each) == of_it]
        with_ = [each.is_correct for each in inside if each.verifications]
        without = [each.is_correct for each in inside if not each.verifications]
        if with_ and without:
            found.append((len(with_) * len(without) / len(inside), _newcombe(with_, without)))
    if not found:
        return None
    total = math.fsum(weight for weight, _ in found)
    value = math.fsum(weight * each.value for weight, each in found) / total
    below = math.hypot(*(weight * (each.value - each.low) for weight, each in found)) / total
    above = math.hypot(*(weight * (each.high - each.value) for weight, each in found)) / total
    return Difference(value, value - below, value + above)


def _newcombe(first: Sequence[bool], second: Sequence[bool]) -> Difference:
    """Share of `first` minus that of `second`, with the interval that Wilson's of the two make."""
    share, other = sum(first) / len(first), sum(second) / len(second)
    low, high = wilson(sum(first), len(first))
    other_low, other_high = wilson(sum(second), len(second))
    value = share - other
    return Difference(
        value, value - math.hypot(share - low, other_high - other), value + math.hypot(high - share, other - other_low)
    )
