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
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from medrl.evaluation import wilson
from medrl.normal import mentions
from medrl.types import Ending, Rollout, Step

FEWEST = 5
"""Episodes with, and without, a verification, below which no difference is told."""
MOST_TOLD_APART = 3
"""So many verifications and more are one row."""
_CHUNK = 500
_Bools = NDArray[np.bool_]


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
    few episodes to say, or all came to the same."""

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


def analyse(traced: Sequence[Traced], *, rng: np.random.Generator, n: int) -> Analysis:
    """One episode a question; intervals of differences from `n` resamples of them."""
    rows = []
    for count in sorted({min(each.verifications, MOST_TOLD_APART) for each in traced}):
        of_it = [each.is_correct for each in traced if min(each.verifications, MOST_TOLD_APART) == count]
        rows.append(Row(count, len(of_it), sum(of_it), *wilson(sum(of_it), len(of_it))))
    return Analysis(
        tuple(rows),
        _difference([0] * len(traced), traced, rng, n),
        _difference([each.hops or 0 for each in traced], traced, rng, n),
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


def _difference(strata: Sequence[int], traced: Sequence[Traced], rng: np.random.Generator, n: int) -> Difference | None:
    """The Mantel-Haenszel risk difference (Greenland and Robins 1985) over `strata`, bootstrapped over episodes."""
    of = np.asarray(strata)
    verified = np.asarray([each.verifications > 0 for each in traced], dtype=bool)
    correct = np.asarray([each.is_correct for each in traced], dtype=bool)
    if min(verified.sum(), (~verified).sum()) < FEWEST or len(set(correct.tolist())) < 2:
        return None
    value = _pooled(of[None], verified[None], correct[None])[0]
    if np.isnan(value):
        return None
    resampled = []
    for start in range(0, n, _CHUNK):
        drawn = rng.integers(0, len(traced), size=(min(_CHUNK, n - start), len(traced)))
        resampled.append(_pooled(of[drawn], verified[drawn], correct[drawn]))
    low, high = np.nanquantile(np.concatenate(resampled), (0.025, 0.975))  # nan: a draw without one of the two
    return Difference(float(value), float(low), float(high))


def _pooled(strata: NDArray[np.int_], verified: _Bools, correct: _Bools) -> NDArray[np.float64]:
    """Over rows [resamples, episodes]; nan where no stratum has episodes of both kinds."""
    over, weights = np.zeros(len(strata)), np.zeros(len(strata))
    for stratum in np.unique(strata):
        inside = strata == stratum
        with_, without = (inside & verified).sum(axis=1), (inside & ~verified).sum(axis=1)
        weight = with_ * without / np.maximum(with_ + without, 1)
        right_with = (inside & verified & correct).sum(axis=1) / np.maximum(with_, 1)
        right_without = (inside & ~verified & correct).sum(axis=1) / np.maximum(without, 1)
        over += weight * (right_with - right_without)
        weights += weight
    return np.where(weights > 0, over / np.where(weights > 0, weights, 1.0), np.nan)
