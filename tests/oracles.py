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
    weight: Matrix | None = None,
    dual_clip: float | None = None,
    normaliser: float | None = None,
    reference: Matrix | None = None,
    kl: float = 0.0,
) -> float:
    """PPO's clipped surrogate (arXiv:1707.06347 eq. 7), negated, token by token; `weight` of a correction. `kl` times
    the estimate of arXiv:2402.03300 eq. 4, π_ref/π − log π_ref/π − 1, is added to each token as in its eq. 3."""
    sums, lengths = [], []
    for b in range(len(logp)):
        terms = []
        for t in range(len(logp[b])):
            if not mask[b][t]:
                continue
            ratio = math.exp(logp[b][t] - old[b][t])
            clipped = min(max(ratio, 1 - clip_low), 1 + clip_high)
            gain = min(ratio * advantage[b], clipped * advantage[b])
            if dual_clip is not None and advantage[b] < 0:
                gain = max(gain, dual_clip * advantage[b])
            terms.append(-gain * (1.0 if weight is None else weight[b][t]))
            if reference is not None:
                odds = math.exp(reference[b][t]) / math.exp(logp[b][t])
                terms[-1] += kl * (odds - math.log(odds) - 1)
        if terms:
            sums.append(sum(terms))
            lengths.append(len(terms))
    if aggregation == "sequence_sum":
        return fmean(sums)
    if aggregation == "sequence_mean":
        return fmean(s / n for s, n in zip(sums, lengths, strict=True))
    if aggregation == "constant":
        assert normaliser is not None
        return fmean(s / normaliser for s in sums)
    return sum(sums) / sum(lengths)


def weights(kind: str, old: Matrix, rollout: Matrix, mask: list[list[bool]], low: float, high: float) -> Matrix:
    """A correction's weight of every token; `high` is the cap where there is no range."""
    result = []
    for b in range(len(old)):
        ratios = [math.exp(old[b][t] - rollout[b][t]) if mask[b][t] else 1.0 for t in range(len(old[b]))]
        acting = [ratio for ratio, acts in zip(ratios, mask[b], strict=True) if acts]
        if kind == "token_tis":
            row = [min(ratio, high) for ratio in ratios]
        elif kind == "sequence_tis":
            row = [min(math.prod(acting), high)] * len(ratios)
        elif kind == "icepop":
            row = [ratio if low <= ratio <= high else 0.0 for ratio in ratios]
        else:
            mean = math.prod(acting) ** (1 / max(len(acting), 1))
            row = [1.0 if low <= mean <= high else 0.0] * len(ratios)
        result.append(row)
    return result


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
