"""What clinicians' ratings say: how many, whether raters agree, and whether the built-in rubric is what they want."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from medrl.agreement import Estimate, krippendorff, resampled, spearman_within
from medrl.errors import ConfigError, DataError
from medrl.experts import RESAMPLES, described, learn
from medrl.judge import Preference
from medrl.preferences import FEATURES, RUBRIC
from medrl.ratings import CRITERIA, RatedEpisode, Rating, read_ratings, standing
from medrl.seeds import derive_seed

_VALUE: Mapping[Preference, float] = {"first": -1.0, "tie": 0.0, "second": 1.0}
T = TypeVar("T")
Judge = Callable[[RatedEpisode], float | None]


def render_summary(file: Path, seed: int) -> str:
    """Text for a terminal. Raises DataError if there are no ratings."""
    lines = read_ratings(file)
    ratings = standing(lines)
    if not ratings:
        raise DataError(f"{file}: no ratings yet; `medrl review RUN` serves the page to make them")
    parts = [
        ("ratings", _counts(lines, ratings)),
        ("agreement between raters (Krippendorff's alpha; 1: all agree, 0: as by chance)", _between(ratings, seed)),
        ("agreement with the built-in rubric and the reward", _with_scores(ratings, seed)),
        ("r_expert, if reward.ratings names this file", _learnt(file)),
    ]
    return "\n\n".join(_section(title, rows) for title, rows in parts) + "\n"


def _section(title: str, rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join([title, *(f"  {name:26}{text}" if name else f"  {text}" for name, text in rows)])


def _counts(lines: Sequence[Rating], ratings: Sequence[Rating]) -> Iterator[tuple[str, str]]:
    for rater in sorted({each.rater for each in ratings}):
        kinds = Counter(each.kind for each in ratings if each.rater == rater)
        yield rater, f"{kinds['preference']:,} preferences, {kinds['rating']:,} scores"
    undone = sum(each.kind == "undo" for each in lines)
    questions = len({each.question_id for each in ratings})
    yield "together", f"{len(ratings):,} on {questions:,} questions; {undone:,} taken back"
    scores = [each.score for each in ratings if each.score is not None]
    if scores:
        yield "scores", f"mean {np.mean(scores):.1f} of 10, from {min(scores)} to {max(scores)}"
    sides = Counter(each.preference for each in ratings if each.preference is not None)
    if sides:
        yield "preferences", ", ".join(f"{sides[side]:,} {side}" for side in _VALUE)
    said = [(name, value) for each in ratings for episode in each.episodes for name, value in episode.criteria.items()]
    for name in CRITERIA:
        values = [value for of, value in said if of == name]
        if values:
            yield name.replace("_", " "), f"yes {sum(values):,}, no {len(values) - sum(values):,}"


def _between(ratings: Sequence[Rating], seed: int) -> Iterator[tuple[str, str]]:
    for name, kind, nominal in (("preferences", "preference", True), ("scores", "rating", False)):
        items: defaultdict[frozenset[str], list[Rating]] = defaultdict(list)
        for each in ratings:
            if each.kind == kind:
                items[each.item].append(each)
        units: defaultdict[str, list[list[float]]] = defaultdict(list)
        for mine in items.values():
            if len(mine) > 1:
                units[mine[0].question_id].append([_value(each) for each in mine])
        shared = sum(len(each) for each in units.values())
        found = _resampled(units, partial(krippendorff, nominal=nominal), seed)
        yield (
            name,
            f"{_estimate(found)}, {shared:,} items that several rated" if shared else "no item that several rated",
        )


def _value(rating: Rating) -> float:
    """A score; or which episode was preferred, told by digest, as raters see them in different order."""
    if rating.preference is None:
        return float(rating.score or 0)
    first, second = rating.episodes
    return _VALUE[rating.preference] * (1.0 if first.digest < second.digest else -1.0)


def _with_scores(ratings: Sequence[Rating], seed: int) -> Iterator[tuple[str, str]]:
    """Of scores the rank correlation, each rater's for itself; of verdicts other than ties, the share in which the
    preferred episode scores higher."""
    judges: dict[str, Judge] = {"rubric": _rubric, "reward": lambda episode: episode.reward}
    for name, judge in judges.items():
        scores: defaultdict[str, list[tuple[str, float, float]]] = defaultdict(list)
        sided: defaultdict[str, list[float]] = defaultdict(list)
        for each in ratings:
            values = [judge(episode) for episode in each.episodes]
            if None in values:
                continue
            known = [value for value in values if value is not None]
            if each.score is not None:
                scores[each.question_id].append((each.rater, float(each.score), known[0]))
            elif each.preference in ("first", "second"):
                margin = (known[0] - known[1]) * -_VALUE[each.preference]
                sided[each.question_id].append(0.5 + 0.5 * float(np.sign(round(margin, 12))))
        if scores:
            number = sum(map(len, scores.values()))
            rho = _estimate(_resampled(scores, spearman_within, seed))
            yield f"scores and {name}", f"Spearman's ρ {rho}, {number:,} scores"
        if sided:
            number = sum(map(len, sided.values()))
            share = _estimate(_resampled(sided, lambda values: float(np.mean(values)), seed))
            yield f"verdicts and {name}", f"same side in {share}, {number:,} verdicts"


def _rubric(episode: RatedEpisode) -> float | None:
    if set(episode.features) != set(FEATURES):
        return None
    return RUBRIC.rate(episode.vector)


def _learnt(file: Path) -> list[tuple[str, str]]:
    try:
        return [("", line) for line in described(learn([file]))]
    except ConfigError as error:
        return [("", str(error))]


def _resampled(
    groups: Mapping[str, Sequence[T]], figure: Callable[[Sequence[T]], float | None], seed: int
) -> Estimate | None:
    return resampled(groups, figure, rng=np.random.default_rng(derive_seed(seed, "agreement")), n=RESAMPLES)


def _estimate(found: Estimate | None) -> str:
    return "not known" if found is None else f"{found[0]:.2f} [{found[1]:.2f}, {found[2]:.2f}]"
