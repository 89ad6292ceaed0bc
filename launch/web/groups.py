"""Groups of episodes, all those of one question in one part, listed by what a person looks for."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from statistics import fmean
from typing import Any

from launch.web.episodes import Entry, EpisodeIndex, Moved, latest_first
from launch.web.questions import Questions
from launch.web.search import Hit, find, words_of

SEARCH_S = 1.5


class Result(StrEnum):
    """Whether all, none or some of a group's scored episodes are correct."""

    CORRECT = "correct"
    WRONG = "wrong"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a group must be to be listed; None and "" ask for nothing.

    `result`: all of its episodes correct, none, or some. `ending`, `tool`, `min_calls` and the range of the reward
    hold together for one of its episodes at least. `text`: words, all in one such episode.
    """

    part: str | None = None
    result: Result | None = None
    ending: str | None = None
    tool: str | None = None
    hops: int | None = None
    specialty: str | None = None
    min_reward: float | None = None
    max_reward: float | None = None
    min_calls: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """`rows` of groups, after how many of `total` that fit but for the text the next begins, None at the end."""

    rows: list[dict[str, Any]]
    total: int
    next: int | None


def list_groups(
    index: EpisodeIndex, questions: Questions, wanted: Wanted, start: int, limit: int, budget_s: float = SEARCH_S
) -> Listing:
    """At most `limit` groups from the `start`-th that fits, the latest step's first. A search for text stops after
    `budget_s` and says where."""
    groups = sorted(grouped(index.entries(wanted.part)), key=lambda group: latest_first(group[0].part))
    fitting = [(group, kept) for group in groups if (kept := _kept(group, wanted, questions))]
    words, deadline = words_of(wanted.text), time.monotonic() + budget_s
    rows: list[dict[str, Any]] = []
    for place in range(start, len(fitting)):
        if len(rows) == limit or (words and place > start and time.monotonic() > deadline):
            return Listing(rows, len(fitting), place)
        group, kept = fitting[place]
        hit = _search(index, questions, kept, words) if words else None
        if hit is not None or not words:
            rows.append(_row(group, questions, hit))
    return Listing(rows, len(fitting), None)


def grouped(entries: Sequence[Entry]) -> list[list[Entry]]:
    """By part and question, in the order of the files; samples in order."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.part, entry.question_id), []).append(entry)
    return [sorted(group, key=lambda entry: entry.sample) for group in groups.values()]


def result_of(group: Sequence[Entry]) -> Result | None:
    """None where none of its episodes is scored."""
    rate = pass_rate(group)
    if rate is None:
        return None
    return Result.WRONG if rate == 0.0 else Result.CORRECT if rate == 1.0 else Result.MIXED


def pass_rate(group: Sequence[Entry]) -> float | None:
    """Share of its scored episodes that are correct; None where none is scored."""
    verdicts = [entry.correct for entry in group if entry.correct is not None]
    return fmean(verdicts) if verdicts else None


def _kept(group: Sequence[Entry], wanted: Wanted, questions: Questions) -> list[Entry]:
    """The group's episodes that fit; none if the group itself does not."""
    if wanted.result is not None and result_of(group) != wanted.result:
        return []
    if wanted.hops is not None or wanted.specialty is not None:
        question = questions.get(group[0].question_id)
        if question is None or wanted.hops not in (None, question.hops):
            return []
        if wanted.specialty not in (None, question.specialty):
            return []
    return [entry for entry in group if _fits(entry, wanted)]


def _fits(entry: Entry, wanted: Wanted) -> bool:
    if wanted.ending not in (None, entry.ending) or len(entry.calls) < (wanted.min_calls or 0):
        return False
    if wanted.tool is not None and all(call.tool != wanted.tool for call in entry.calls):
        return False
    if wanted.min_reward is None and wanted.max_reward is None:
        return True
    if entry.reward is None:
        return False
    low, high = wanted.min_reward, wanted.max_reward
    return (low is None or entry.reward.total >= low) and (high is None or entry.reward.total <= high)


def _search(
    index: EpisodeIndex, questions: Questions, kept: Sequence[Entry], words: Sequence[str]
) -> tuple[Entry, Hit] | None:
    for entry in kept:
        try:
            question = questions.get(entry.question_id)
            hit = find(words, question, index.line(entry), partial(index.episode, entry))
        except Moved:  # replaced under the search: the next one sees what is there then
            continue
        if hit is not None:
            return entry, hit
    return None


def _row(group: Sequence[Entry], questions: Questions, found: tuple[Entry, Hit] | None) -> dict[str, Any]:
    question = questions.get(group[0].question_id)
    return {
        "part": group[0].part,
        "question_id": group[0].question_id,
        "question": question.text if question is not None else None,
        "hops": question.hops if question is not None else None,
        "specialty": question.specialty if question is not None else None,
        "pass_rate": pass_rate(group),
        "rewards": [entry.reward.total if entry.reward is not None else None for entry in group],
        "correct": [entry.correct for entry in group],
        "endings": sorted({str(entry.ending) for entry in group}),
        "calls": fmean(len(entry.calls) for entry in group),
        "hit": None if found is None else {"sample": found[0].sample, "where": found[1].where, "text": found[1].text},
    }


def choices(index: EpisodeIndex, questions: Questions) -> dict[str, list[Any]]:
    """What the filters can be set to: what there is."""
    entries = index.entries()
    known = [question for entry_id in {entry.question_id for entry in entries} if (question := questions.get(entry_id))]
    return {
        "ending": sorted({str(entry.ending) for entry in entries}),
        "tool": sorted({call.tool for entry in entries for call in entry.calls}),
        "hops": sorted({question.hops for question in known}),
        "specialty": sorted({question.specialty for question in known}),
    }


def members(index: EpisodeIndex, part: str, question_id: str) -> Iterator[Entry]:
    """The group's episodes, by sample."""
    return iter(
        sorted(
            (entry for entry in index.entries(part) if entry.question_id == question_id),
            key=lambda entry: entry.sample,
        )
    )
