"""Slow scalar versions of the maths, written from the papers' formulas. They share no code with what they check."""

import math
from fractions import Fraction
from itertools import combinations
from statistics import fmean

Matrix = list[list[float]]


def advantages(rewards: list[float], group_ids: list[int], baseline: str = "mean", by_std: bool = False) -> list[float]:
    """r − r̄_G, one episode at a time, in exact arithmetic until the end."""
    result = []
    for i, (reward, group) in enumerate(zip(rewards, group_ids, strict=True)):
        own = [Fraction(r) for r, g in zip(rewards, group_ids, strict=True) if g == group]
        others = [Fraction(r) for j, (r, g) in enumerate(zip(rewards, group_ids, strict=True)) if g == group and j != i]
        if not others:
            result.append(0.0)
            continue
        reference = own if baseline == "mean" else others
        advantage = float(Fraction(reward) - sum(reference) / len(reference))
        if by_std:
            mean = sum(own) / len(own)
            variance = sum((r - mean) ** 2 for r in own) / (len(own) - 1)
            advantage = advantage / math.sqrt(variance) if variance else 0.0
        result.append(advantage)
    return result


def surrogate(
    logp: Matrix,
    old: Matrix,
    advantage: list[float],
    mask: list[list[bool]],
    clip_low: float,
    clip_high: float,
    aggregation: str,
    rollout: Matrix | None = None,
    cap: float | None = None,
) -> float:
    """PPO's clipped surrogate (arXiv:1707.06347 eq. 7), negated, token by token."""
    sums, lengths = [], []
    for b in range(len(logp)):
        terms = []
        for t in range(len(logp[b])):
            if not mask[b][t]:
                continue
            ratio = math.exp(logp[b][t] - old[b][t])
            clipped = min(max(ratio, 1 - clip_low), 1 + clip_high)
            term = -min(ratio * advantage[b], clipped * advantage[b])
            if rollout is not None and cap is not None:
                term *= min(math.exp(old[b][t] - rollout[b][t]), cap)
            terms.append(term)
        if terms:
            sums.append(sum(terms))
            lengths.append(len(terms))
    if aggregation == "sequence_sum":
        return fmean(sums)
    if aggregation == "sequence_mean":
        return fmean(s / n for s, n in zip(sums, lengths, strict=True))
    return sum(sums) / sum(lengths)


def pass_at_k(n: int, c: int, k: int) -> float:
    """The share of all k-subsets of n samples, c of them correct, that hold a correct one: by listing them."""
    correct = [i < c for i in range(n)]
    subsets = list(combinations(correct, k))
    return sum(any(subset) for subset in subsets) / len(subsets)


def beta_expectation(a: float, b: float, target: float, steps: int = 20_000) -> float:
    """E[p^2t (1 − p)^2(1 − t)] for p ~ Beta(a, b), by the midpoint rule."""
    total = weight = 0.0
    for i in range(steps):
        p = (i + 0.5) / steps
        density = p ** (a - 1) * (1 - p) ** (b - 1)
        total += density * p ** (2 * target) * (1 - p) ** (2 * (1 - target))
        weight += density
    return total / weight
