"""The figures of one scored run, and the comparison of two.

The item is what was sampled; its samples are not independent of one another. So proportions are of items, by the first
sample of each, with Wilson's interval; what uses all samples has an interval from a bootstrap over items. An item that
has no sample (an outage took it) is in no figure: it is counted as missing.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import fsum, lcm
from typing import TypeVar

import numpy as np

from envs.benchmarks.item import Item
from envs.benchmarks.scored import Scored
from medrl.evaluation import bootstrap_mean, paired_difference, pass_at_k, sign_flip, wilson
from medrl.matching import Verdict
from medrl.seeds import derive_seed

RESAMPLES = 10_000
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95% interval; `n`: the items that it is of."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Costs:
    """Means over items, of each the mean over its samples."""

    tool_calls: float
    turns: float
    tokens: float
    duration_s: float
    by_tool: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of one run. None where there is nothing that they could be of.

    `accuracy`: share of items whose first sample is correct; `real`: the same without items whose gold is NA;
    `always_na`: what a system gets that says NA to everything, on the same items; `unknown`: share of items whose
    first sample is neither correct nor incorrect; `by_task`, `by_hops` and `by_level` are shares like `accuracy`, of
    the items that have such a thing. `pass_at`: from k to the unbiased estimate of pass@k, for every k that all items
    have samples for. `num_judged`: samples that a language model decided.
    """

    num_items: int
    num_missing: int
    num_samples: int
    accuracy: Estimate | None
    real: Estimate | None
    always_na: Estimate | None
    unknown: Estimate | None
    by_task: Mapping[str, Estimate]
    by_hops: Mapping[int, Estimate]
    by_level: Mapping[int, Estimate]
    pass_at: Mapping[int, Estimate]
    costs: Costs | None
    num_judged: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs on the items that both have. `difference`: first minus second, of pass@1 over all samples, by a paired
    bootstrap. `p_value`: of the exact sign-flip test of it, which for one sample an item is McNemar's. `only_first`,
    `only_second`: items that one alone solves with its first sample.
    """

    difference: Estimate
    p_value: float
    only_first: int
    only_second: int


def tabulate(items: Sequence[Item], scored: Sequence[Scored], *, seed: int = 0) -> Table:
    """The figures; `seed` of the bootstraps. Raises ValueError on a sample of no item, or twice the same sample."""
    samples = _by_item(items, scored)
    present = [item for item in items if item.id in samples]
    firsts = {item_id: of_item[0].verdict for item_id, of_item in samples.items()}
    most = min(map(len, samples.values()), default=0)
    return Table(
        num_items=len(items),
        num_missing=len(items) - len(present),
        num_samples=len(scored),
        accuracy=_share(_corrects(present, firsts)),
        real=_share(_corrects([item for item in present if not item.is_na], firsts)),
        always_na=_share([item.is_na for item in present]),
        unknown=_share([firsts[item.id] is Verdict.UNKNOWN for item in present]),
        by_task=_by(present, firsts, lambda item: item.task or None),
        by_hops=_by(present, firsts, lambda item: item.hops),
        by_level=_by(present, firsts, lambda item: item.level),
        pass_at={k: _pass_at(k, list(samples.values()), seed) for k in range(1, most + 1)},
        costs=_costs(list(samples.values())) if samples else None,
        num_judged=sum(each.judged for each in scored),
    )


def compare(items: Sequence[Item], first: Sequence[Scored], second: Sequence[Scored], *, seed: int = 0) -> Comparison:
    """The second run beside the first, pairwise. Raises ValueError if there is no item that both have."""
    runs = _by_item(items, first), _by_item(items, second)
    both = [item.id for item in items if all(item.id in run for run in runs)]
    if not both:
        raise ValueError("the two runs have no item in common, so nothing can be paired")
    shares = [[_share_correct(run[item_id]) for item_id in both] for run in runs]
    rng = np.random.default_rng(derive_seed(seed, "benchmark difference"))
    passed = [[run[item_id][0].verdict is Verdict.CORRECT for item_id in both] for run in runs]
    return Comparison(
        difference=_difference(shares[0], shares[1], rng=rng),
        p_value=sign_flip(*shares, scale=lcm(*{len(run[item_id]) for run in runs for item_id in both})),
        only_first=sum(one and not other for one, other in zip(*passed, strict=True)),
        only_second=sum(other and not one for one, other in zip(*passed, strict=True)),
    )


def _difference(first: Sequence[float], second: Sequence[float], *, rng: np.random.Generator) -> Estimate:
    """Where all items differ by the same, a bootstrap has no spread: then Wilson says how many others could be unseen,
    each of which may differ from these by 1, or by 2 if these differ by 1."""
    value, low, high = paired_difference(first, second, rng=rng, n=RESAMPLES)
    if low == high:
        unseen = wilson(0, len(first))[1] * (1.0 + abs(value))
        low, high = max(-1.0, value - unseen), min(1.0, value + unseen)
    return Estimate(value, low, high, len(first))


def _by_item(items: Sequence[Item], scored: Sequence[Scored]) -> dict[str, list[Scored]]:
    """Each item's samples in order, in the order of the items; no entry for an item without any."""
    known = {item.id for item in items}
    found: dict[str, dict[int, Scored]] = defaultdict(dict)
    for each in scored:
        if each.item_id not in known:
            raise ValueError(f"a sample of {each.item_id}, which is none of the {len(known)} items")
        if each.sample in found[each.item_id]:
            raise ValueError(f"sample {each.sample} of {each.item_id} is there twice")
        found[each.item_id][each.sample] = each
    return {item.id: [found[item.id][key] for key in sorted(found[item.id])] for item in items if item.id in found}


def _corrects(items: Sequence[Item], firsts: Mapping[str, Verdict]) -> list[bool]:
    return [firsts[item.id] is Verdict.CORRECT for item in items]


def _share(hits: Sequence[bool]) -> Estimate | None:
    return Estimate(sum(hits) / len(hits), *wilson(sum(hits), len(hits)), len(hits)) if hits else None


def _by(items: Sequence[Item], firsts: Mapping[str, Verdict], key: Callable[[Item], K | None]) -> dict[K, Estimate]:
    groups: dict[K, list[Item]] = defaultdict(list)
    for item in items:
        value = key(item)
        if value is not None:
            groups[value].append(item)
    shares = {value: _share(_corrects(groups[value], firsts)) for value in groups}
    return {value: share for value, share in sorted(shares.items(), key=lambda each: str(each[0])) if share is not None}


def _pass_at(k: int, samples: Sequence[Sequence[Scored]], seed: int) -> Estimate:
    values = [pass_at_k(len(each), _num_correct(each), k) for each in samples]
    rng = np.random.default_rng(derive_seed(seed, "benchmark pass@", k))
    value, low, high = bootstrap_mean(values, rng=rng, n=RESAMPLES)
    if value in (0.0, 1.0):  # of all the same a bootstrap has no spread
        low, high = wilson(round(value * len(values)), len(values))
    return Estimate(value, low, high, len(values))


def _num_correct(samples: Iterable[Scored]) -> int:
    return sum(each.verdict is Verdict.CORRECT for each in samples)


def _share_correct(samples: Sequence[Scored]) -> float:
    return _num_correct(samples) / len(samples)


def _costs(samples: Sequence[Sequence[Scored]]) -> Costs:
    tools = sorted({tool for of_item in samples for each in of_item for tool in each.tool_calls})
    return Costs(
        tool_calls=_mean(samples, lambda each: each.num_tool_calls),
        turns=_mean(samples, lambda each: each.turns),
        tokens=_mean(samples, lambda each: each.tokens),
        duration_s=_mean(samples, lambda each: each.duration_s),
        by_tool={tool: _mean(samples, partial(_num_calls, tool)) for tool in tools},
    )


def _num_calls(tool: str, sample: Scored) -> int:
    return sample.tool_calls.get(tool, 0)


def _mean(samples: Sequence[Sequence[Scored]], of: Callable[[Scored], float]) -> float:
    """Over items, of each the mean over its samples."""
    return fsum(fsum(map(of, of_item)) / len(of_item) for of_item in samples) / len(samples)
