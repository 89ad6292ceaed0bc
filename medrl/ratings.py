"""Ratings of episodes by clinicians: a file of lines that are only ever appended (`ratings.jsonl`).

    {"id", "time", "rater", "kind": "rating", "question_id", "episodes": [E], "score": 0 to 10, "comment", …}
    {"id", "time", "rater", "kind": "preference", "question_id", "episodes": [E, E], "preference": "first", …}
    {"id", "time", "rater", "kind": "undo", "undoes": <id of an earlier line>, …}

E names the episode (part and sample of its file, `digest` of what was read, which finds it wherever it stands) and
carries what training needs of it: its features (`medrl.preferences.features`, `feature_version`), its reward if it had
one, and what the rater said of it alone (`CRITERIA`, true or false; absent: not judged). Of several lines of a rater on
the same item the last one counts. The rater is a pseudonym.
"""

import fcntl
import hashlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from medrl.errors import DataError
from medrl.judge import Preference
from medrl.preferences import FEATURE_VERSION, FEATURES, Comparison, Vector
from medrl.records import fault, keep_whole_lines, whole_lines
from medrl.types import Rollout

Kind = Literal["rating", "preference", "undo"]
CRITERIA = ("supported", "follows", "sourced", "economical", "safety_concern")
"""Evidence supports the answer; the search follows the question; a source is stated; no needless calls; a concern."""
MOST_COMMENT = 4000
_RATER = re.compile(r"\w[\w .-]{0,39}")
_OUTCOME = {"first": 1.0, "tie": 0.5, "second": 0.0}


@dataclass(frozen=True, slots=True)
class RatedEpisode:
    """E of the module's first lines. Raises ValueError on names that are not known or features out of [0, 1]."""

    part: str
    sample: int
    digest: str
    features: Mapping[str, float]
    reward: float | None = None
    criteria: Mapping[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all(0.0 <= value <= 1.0 for value in self.features.values()):
            raise ValueError("a feature is outside [0, 1]")
        if unknown := sorted(set(self.criteria) - set(CRITERIA)):
            raise ValueError(f"unknown criterion {unknown[0]!r}; there are {', '.join(CRITERIA)}")

    @property
    def vector(self) -> Vector:
        """The features in their order. Raises KeyError if one is missing."""
        return np.array([self.features[name] for name in FEATURES])


@dataclass(frozen=True, slots=True)
class Rating:
    """A line of the file. Raises ValueError where it is not whole: a rating without its score, say."""

    id: str
    time: str
    rater: str
    kind: Kind
    question_id: str = ""
    episodes: tuple[RatedEpisode, ...] = ()
    score: int | None = None
    preference: Preference | None = None
    comment: str = ""
    undoes: str = ""
    feature_version: int = FEATURE_VERSION

    def __post_init__(self) -> None:
        check_rater(self.rater)
        if len(self.comment) > MOST_COMMENT:
            raise ValueError(f"the comment has {len(self.comment):,} characters; {MOST_COMMENT:,} are the most")
        if self.kind == "rating" and not (len(self.episodes) == 1 and self.score is not None and 0 <= self.score <= 10):
            raise ValueError("a rating has one episode and a score from 0 to 10")
        if self.kind == "preference" and not (len(self.item) == 2 and self.preference is not None):
            raise ValueError("a preference has two different episodes and says first, second or tie")
        if self.kind == "undo" and not self.undoes:
            raise ValueError("an undo names the line that it undoes")
        known = set(FEATURES)
        if self.feature_version == FEATURE_VERSION and any(set(each.features) != known for each in self.episodes):
            raise ValueError(f"features must be {', '.join(FEATURES)}")

    @property
    def item(self) -> frozenset[str]:
        """What was rated: the digests of its episodes, whichever stood first."""
        return frozenset(each.digest for each in self.episodes)


_LINE = TypeAdapter(Rating)


def check_rater(name: str) -> str:
    """The name back. Raises ValueError unless it is 1 to 40 letters, digits, spaces, dots or dashes."""
    if not _RATER.fullmatch(name):
        raise ValueError("a rater's name is 1 to 40 letters, digits, spaces, dots or dashes, a letter or digit first")
    return name


def digest(rollout: Rollout) -> str:
    """A hash of what a rater reads of an episode, question, turns and answer; not of its tokens or reward."""
    turns = [[each.text, each.observation, each.status, list(each.sources)] for each in rollout.steps]
    read = json.dumps([rollout.question_id, turns, rollout.answer, rollout.ending])
    return hashlib.blake2b(read.encode(), digest_size=8).hexdigest()


def append(path: Path, line: Rating) -> None:
    """Add a line; it is on the disk when this returns. What a crash left of an unfinished line is cut off first.
    Several processes may append. Raises DataError if the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            keep_whole_lines(file)
            file.write(_LINE.dump_json(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; the rating was not kept") from error


def read_ratings(path: Path) -> list[Rating]:
    """All lines in order, none if there is no file. Raises DataError naming file and line."""
    found = []
    for number, line in enumerate(whole_lines(path), start=1):
        try:
            found.append(_LINE.validate_json(line))
        except ValidationError as error:
            raise DataError(f"{path}:{number}: {fault(error)}") from error
    return found


def standing(lines: Iterable[Rating]) -> list[Rating]:
    """The lines that count: not undone, and the last of its rater on its item; in the order of the first of them."""
    kept: dict[tuple[str, str, frozenset[str]], Rating] = {}
    for line in lines:
        if line.kind == "undo":
            undone = [key for key, each in kept.items() if each.id == line.undoes and each.rater == line.rater]
            for key in undone:
                del kept[key]
        else:
            kept[line.rater, line.kind, line.item] = line
    return list(kept.values())


def comparisons(ratings: Sequence[Rating]) -> list[Comparison]:
    """What ratings say of pairs: every preference, and for a rater's n scores of one question all pairs of them.

    The pairs of n scores are not independent of one another, so that each counts 1/(n − 1): n/2 in all. Scores of
    different questions or raters are not compared: questions differ in difficulty, raters in severity.
    """
    found = []
    scored: defaultdict[tuple[str, str], list[Rating]] = defaultdict(list)
    for each in ratings:
        if each.feature_version != FEATURE_VERSION:
            continue
        if each.preference is not None:
            first, second = each.episodes
            found.append(Comparison(each.question_id, first.vector, second.vector, _OUTCOME[each.preference]))
        else:
            scored[each.rater, each.question_id].append(each)
    for (_, question_id), mine in scored.items():
        for a, b in combinations(mine, 2):
            outcome = 0.5 + 0.5 * float(np.sign((a.score or 0) - (b.score or 0)))
            vectors = a.episodes[0].vector, b.episodes[0].vector
            found.append(Comparison(question_id, *vectors, outcome, 1.0 / (len(mine) - 1)))
    return found
