"""Do raters agree, with one another and with a score? Every figure with its 95% bootstrap interval."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import fsum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Estimate = tuple[float, float, float]
"""A figure and its 95% interval: (value, low, high)."""


def krippendorff(units: Sequence[Sequence[float]], *, nominal: bool) -> float | None:
    """Krippendorff's alpha: 1 − observed / expected disagreement (Krippendorff 2011, "Computing Krippendorff's
    Alpha-Reliability"). 1: all agree; 0: as by chance.

    `units`: what was rated, the values that its raters gave; those with fewer than two count for nothing. Values differ
    by (a − b)², or, `nominal`, by whether they differ at all. None if there is no pair of values, or no two differ.
    """
    paired = [unit for unit in units if len(unit) > 1]
    if not paired:
        return None
    values = [value for unit in paired for value in unit]
    observed = sum(_differences(unit, nominal) / (len(unit) - 1) for unit in paired) / len(values)
    expected = _differences(values, nominal) / (len(values) * (len(values) - 1))
    return 1.0 - observed / expected if expected > 0.0 else None


def _differences(values: Sequence[float], nominal: bool) -> float:
    """Over all ordered pairs. Units are small, so that plain numbers are quicker than arrays."""
    if nominal:
        return float(len(values) ** 2 - sum(count**2 for count in Counter(values).values()))
    centre = fsum(values) / len(values)
    return 2.0 * len(values) * fsum((value - centre) ** 2 for value in values)


def spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's rank correlation, equal values sharing their mean rank. None where one side does not vary."""
    if len(pairs) < 2:
        return None
    a, b = (_ranks(np.asarray(side, dtype=np.float64)) for side in zip(*pairs, strict=True))
    a, b = a - a.mean(), b - b.mean()
    spread = float(a @ a) * float(b @ b)
    return float(a @ b) / float(np.sqrt(spread)) if spread > 0.0 else None


def spearman_within(scores: Sequence[tuple[str, float, float]]) -> float | None:
    """Of (rater, score, value): each rater's own correlation, their mean weighted by numbers of scores, so that one
    rater's severity is not taken for another's taste. None if there is none of any rater."""
    of_rater: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for rater, score, value in scores:
        of_rater[rater].append((score, value))
    found = [(len(pairs), rho) for pairs in of_rater.values() if (rho := spearman(pairs)) is not None]
    return fsum(n * rho for n, rho in found) / sum(n for n, _ in found) if found else None


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[inverse], dtype=np.float64)


def resampled(
    groups: Mapping[str, Sequence[T]],
    figure: Callable[[Sequence[T]], float | None],
    *,
    rng: np.random.Generator,
    n: int,
) -> Estimate | None:
    """`figure` of all items of all groups, and its 95% percentile interval over `n` resamples of whole groups.

    A group is a question: its items are not independent of one another. None where the figure is, or where it is in
    more than half of the resamples; and of one group, whose resamples are all the same.
    """
    items = [list(groups[key]) for key in sorted(groups)]
    value = figure([item for group in items for item in group])
    if value is None or len(items) < 2:
        return None
    found = []
    for _ in range(n):
        drawn = rng.integers(0, len(items), len(items))
        again = figure([item for index in drawn for item in items[index]])
        if again is not None:
            found.append(again)
    if len(found) * 2 < n:
        return None
    low, high = np.quantile(found, (0.025, 0.975))
    return value, float(low), float(high)
