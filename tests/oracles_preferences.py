"""Slow scalar versions of what is learnt from ratings, written from the formulas. They share no code with what they
check."""

import math
from collections.abc import Sequence

Row = Sequence[float]


def loss(
    weights: Row, pairs: Sequence[tuple[Row, Row, float, float]], prior: Row, precision: float
) -> tuple[float, list[float]]:
    """−Σ c [y ln P + (1 − y) ln(1 − P)] + ρ/2 Σ (w − w_0)², P = 1 / (1 + e^−w·(a − b)), and its gradient, coordinate by
    coordinate. `pairs`: a, b, y, c."""
    terms = []
    gradient = [precision * (w - p) for w, p in zip(weights, prior, strict=True)]
    for a, b, outcome, count in pairs:
        chance = 1.0 / (1.0 + math.exp(-sum(w * (x - y) for w, x, y in zip(weights, a, b, strict=True))))
        terms.append(-count * (outcome * math.log(chance) + (1.0 - outcome) * math.log(1.0 - chance)))
        for j in range(len(weights)):
            gradient[j] += count * (chance - outcome) * (a[j] - b[j])
    away = sum((w - p) ** 2 for w, p in zip(weights, prior, strict=True))
    return math.fsum(terms) + precision / 2.0 * away, gradient


def krippendorff(units: Sequence[Sequence[float]], nominal: bool) -> float:
    """1 − D_o / D_e by going through all pairs of values: within a unit, weighted by 1/(m − 1); and over all units."""

    def distance(a: float, b: float) -> float:
        return float(a != b) if nominal else (a - b) ** 2

    units = [unit for unit in units if len(unit) > 1]
    values = [value for unit in units for value in unit]
    n = len(values)
    observed = sum(
        distance(unit[i], unit[j]) / (len(unit) - 1)
        for unit in units
        for i in range(len(unit))
        for j in range(len(unit))
        if i != j
    )
    expected = sum(distance(values[i], values[j]) for i in range(n) for j in range(n) if i != j)
    return 1.0 - (observed / n) / (expected / (n * (n - 1)))


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Pearson's correlation of ranks; equal values share the mean of their ranks."""

    def ranks(values: Sequence[float]) -> list[float]:
        return [sum(v < w for v in values) + (sum(v == w for v in values) + 1) / 2 for w in values]

    x, y = ranks(a), ranks(b)
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    cov = math.fsum((p - mean_x) * (q - mean_y) for p, q in zip(x, y, strict=True))
    spread = math.fsum((p - mean_x) ** 2 for p in x) * math.fsum((q - mean_y) ** 2 for q in y)
    return cov / math.sqrt(spread)
