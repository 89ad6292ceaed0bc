"""What a setting comes to over several seeds, and what sets two settings apart.

A seed brings its own questions, so noise has two layers: seeds differ, and so do the questions within each. Neither of
two intervals is right alone where seeds are few:

    t          over the means of the seeds: right however much seeds vary, but with three of them it is narrow by chance
               when they happen to agree, narrower than the questions allow
    bootstrap  seeds are drawn anew, then the questions of each: sees the questions, but cannot see more spread between
               seeds than these show, and with three of them misses a third of its variance

The wider one is used, and its larger p-value: it covers the truth at least as often as it says (tests simulate both).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

LEVEL = 0.05
MOST_SEEDS = 1000

Arm = tuple[float, Sequence[float]]
"""(sign, values by question)."""
Cell = tuple[Arm, ...]
"""One seed's result: the sum of sign × mean over its arms, whose questions are resampled apart from each other."""
Interval = tuple[float, float]


def alone(values: Sequence[float]) -> Cell:
    """A setting by itself. A single value stands for a figure that is not of questions."""
    return ((1.0, values),)


def against(after: Sequence[float], before: Sequence[float], *, paired: bool) -> Cell:
    """`after` - `before` with one seed. `paired`: both are of the same questions, in the same order; their common
    difficulty then cancels. Raises ValueError if paired lengths differ."""
    if not paired:
        return (1.0, after), (-1.0, before)
    if len(after) != len(before):
        raise ValueError(f"{len(after)} and {len(before)} values: pairs need the same questions in both")
    return ((1.0, [a - b for a, b in zip(after, before, strict=True)]),)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds with what is known of it. `seeds`: each one's own mean. `t`: None with a single seed.

    `used` names the interval that counts. `p`: two-sided, that the mean is 0. `spread`: standard deviation of a seed's
    mean, of all that varies between runs; None with a single seed."""

    mean: float
    seeds: tuple[float, ...]
    t: Interval | None
    bootstrap: Interval
    used: Literal["t", "bootstrap"]
    p: float
    spread: float | None

    @property
    def interval(self) -> Interval:
        """95%."""
        return self.t if self.used == "t" and self.t is not None else self.bootstrap


def estimate(cells: Sequence[Cell], *, rng: np.random.Generator, n: int) -> Estimate:
    """The mean over seeds, a cell each, with both intervals from `n` resamples. Raises ValueError if a cell, or an arm
    of it, holds nothing, or n < 1."""
    if not cells or n < 1 or not all(cell and all(len(values) for _, values in cell) for cell in cells):
        raise ValueError(f"{len(cells)} seeds, {n} resamples: needs one of each, and values in every seed")
    means = tuple(math.fsum(sign * fmean(values) for sign, values in cell) for cell in cells)
    mean, drawn = fmean(means), _resampled(cells, rng, n)
    low, high = np.quantile(drawn, (LEVEL / 2, 1 - LEVEL / 2))
    bootstrap = (float(low), float(high))
    tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    p = min(1.0, 2 * (1 + tail) / (n + 1))
    if len(means) == 1:
        return Estimate(mean, means, None, bootstrap, "bootstrap", p, None)
    between = stdev(means)
    t = _t_interval(mean, between, len(means))
    wider: Literal["t", "bootstrap"] = "t" if t[1] - t[0] >= bootstrap[1] - bootstrap[0] else "bootstrap"
    spread = max(between, math.sqrt(fmean(_question_variance(cell) for cell in cells)))
    return Estimate(mean, means, t, bootstrap, wider, max(p, _t_p_value(mean, between, len(means))), spread)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values (Holm 1979), in the order given: the chance of any false finding among all of them stays
    below the level that each is held against."""
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda each: p_values[each])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def seeds_needed(mean: float, spread: float) -> int | None:
    """Seeds with which a difference of `mean` would be told from 0 four times in five (power 0.8, two-sided 5%), if
    a seed's mean varies by `spread`; None if more than MOST_SEEDS."""
    for seeds in range(2, MOST_SEEDS + 1):
        wanted = stdtrit(seeds - 1, 1 - LEVEL / 2) + stdtrit(seeds - 1, 0.8)
        if abs(mean) >= wanted * spread / math.sqrt(seeds) and mean != 0.0:
            return seeds
    return None


def _t_interval(mean: float, between: float, seeds: int) -> Interval:
    half = float(stdtrit(seeds - 1, 1 - LEVEL / 2)) * between / math.sqrt(seeds)
    return mean - half, mean + half


def _t_p_value(mean: float, between: float, seeds: int) -> float:
    if between == 0.0:
        return float(mean == 0.0)
    return 2 * float(stdtr(seeds - 1, -abs(mean) * math.sqrt(seeds) / between))


def _question_variance(cell: Cell) -> float:
    """Of a seed's mean, by its questions alone; 0 for a figure that is not of questions."""
    return math.fsum(stdev(values) ** 2 / len(values) for _, values in cell if len(values) > 1)


def _resampled(cells: Sequence[Cell], rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Means over seeds drawn with replacement, each with its questions drawn anew: [n]."""
    chosen = rng.integers(0, len(cells), size=(n, len(cells)))
    drawn = np.zeros(chosen.shape)
    for seed, cell in enumerate(cells):
        here = chosen == seed
        for sign, values in cell:
            drawn[here] += sign * _drawn_means(np.asarray(values, dtype=np.float64), rng, int(here.sum()))
    means: NDArray[np.float64] = drawn.mean(axis=1)
    return means


def _drawn_means(values: NDArray[np.float64], rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    chunk = max(1, 2_000_000 // values.size)  # bounds memory at 16 MB of indices
    parts = [
        values[rng.integers(0, values.size, size=(min(chunk, n - start), values.size))].mean(axis=1)
        for start in range(0, n, chunk)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)
