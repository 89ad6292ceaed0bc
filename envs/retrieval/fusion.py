"""One ranking out of several."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

#: The constant of Cormack, Clarke and Büttcher 2009: how fast a place in a ranking loses weight.
_DAMPING = 60


def reciprocal_ranks(rankings: Iterable[Sequence[int]], count: int) -> list[int]:
    """The `count` best rows of several rankings, best first: a row scores the sum of 1 / (60 + its place), places from
    1, over the rankings that have it; ties go to the lower row. Scores of different kinds need no common scale.
    """
    scores: dict[int, float] = defaultdict(float)
    for ranking in rankings:
        for place, row in enumerate(ranking, start=1):
            scores[row] += 1.0 / (_DAMPING + place)
    return sorted(scores, key=lambda row: (-scores[row], row))[:count]
