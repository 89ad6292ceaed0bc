"""Estimates from evaluation, each with its interval. The question is the unit that was sampled; its samples are not
independent of one another, so intervals resample questions."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054
"""The two-sided 95% point of the normal distribution."""


def pass_at_k(n: int, c: int, k: int) -> float:
    """Chance that at least one of k samples is correct, unbiased, from n samples with c correct.

    1 − C(n−c, k) / C(n, k): Chen et al. 2021, arXiv:2107.03374 eq. 1.
    Raises ValueError unless 0 <= c <= n and 1 <= k <= n.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"pass_at_k(n={n}, c={c}, k={k}): needs 0 <= c <= n and 1 <= k <= n")
    return 1.0 - math.prod((n - c - i) / (n - i) for i in range(k)) if n - c >= k else 1.0


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Wilson's 95% interval of a proportion (Wilson 1927, eq. 13, no continuity correction): (low, high).

    Holds its coverage at small n and near 0 and 1. Raises ValueError unless 0 <= successes <= n and n >= 1.
    """
    if not (n >= 1 and 0 <= successes <= n):
        raise ValueError(f"wilson(successes={successes}, n={n}): needs 0 <= successes <= n and n >= 1")
    share = successes / n
    spread = Z_95 * math.sqrt(share * (1 - share) / n + Z_95**2 / (4 * n**2))
    centre = share + Z_95**2 / (2 * n)
    scale = 1 + Z_95**2 / n
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == n else (centre + spread) / scale
    return low, high


def bootstrap_mean(values: Sequence[float], *, rng: np.random.Generator, n: int) -> tuple[float, float, float]:
    """Mean over questions and its 95% percentile interval from `n` resamples: (mean, low, high).

    `values`: one number a question, the mean over its samples. Raises ValueError if there are none, or `n` < 1.
    """
    numbers = np.asarray(values, dtype=np.float64)
    means = _resampled_means(numbers, rng, n)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(numbers.mean()), float(low), float(high)


def paired_difference(
    a: Sequence[float], b: Sequence[float], *, rng: np.random.Generator, n: int
) -> tuple[float, float, float]:
    """Mean of a − b over the same questions, in the same order, and its 95% interval: (difference, low, high).

    Pairing removes the spread between easy and hard questions. Raises ValueError on unequal lengths.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} values: a paired difference needs the same questions in both")
    return bootstrap_mean(np.subtract(np.asarray(a, dtype=np.float64), b).tolist(), rng=rng, n=n)


def mcnemar(a: Sequence[bool], b: Sequence[bool]) -> float:
    """Exact two-sided McNemar test: the p-value that two systems pass equally often on the same questions.

    Under the null, of the questions that only one of them passes, each system passes Binomial(m, 1/2).
    Raises ValueError on unequal lengths.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} outcomes: McNemar's test needs the same questions in both")
    only_a = sum(bool(x) and not y for x, y in zip(a, b, strict=True))
    only_b = sum(bool(y) and not x for x, y in zip(a, b, strict=True))
    m = only_a + only_b
    tail = sum(math.comb(m, i) for i in range(min(only_a, only_b) + 1))
    return min(1.0, float(Fraction(2 * tail, 1 << m)))


def sign_flip(a: Sequence[float], b: Sequence[float], *, scale: int) -> float:
    """Exact two-sided sign-flip test (Fisher 1935): the p-value that on each question the two systems could as
    well have changed places. Of one sample a question it is McNemar's exact test.

    `scale`: what makes every share a whole number, such as the number of samples. Raises ValueError on unequal lengths,
    or where a share times `scale` is no whole number.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} values: the sign-flip test needs the same questions in both")
    scaled = np.subtract(np.asarray(a, dtype=np.float64), b) * scale
    steps = np.rint(scaled).astype(np.int64)
    if not np.allclose(scaled, steps, atol=1e-6):
        raise ValueError(f"shares times {scale} are not whole numbers")
    most = int(np.abs(steps).sum())
    chances = np.zeros(2 * most + 1)  # of every sum from -most to most
    chances[most] = 1.0
    for step in np.abs(steps[steps != 0]):
        chances = (np.roll(chances, step) + np.roll(chances, -step)) / 2.0
    sums = np.abs(np.arange(-most, most + 1))
    return min(1.0, math.fsum(chances[sums >= abs(int(steps.sum()))]))


def _resampled_means(numbers: NDArray[np.float64], rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    if numbers.size == 0 or n < 1:
        raise ValueError(f"{numbers.size} values, {n} resamples: a bootstrap needs at least one of each")
    chunk = max(1, 2_000_000 // numbers.size)  # bounds memory at 16 MB of indices
    parts = [
        numbers[rng.integers(0, numbers.size, size=(min(chunk, n - start), numbers.size))].mean(axis=1)
        for start in range(0, n, chunk)
    ]
    return np.concatenate(parts)
