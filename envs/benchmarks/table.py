"""The figures of one scored run, and the comparison of two.

The item is what was sampled; its samples are not independent of one another. So proportions are of items, by the first
sample of each, with Wilson's interval; what uses all samples has an interval from a bootstrap over items. An item that
has no sample (an outage took it) is in no figure: it is counted as missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from envs.benchmarks.item import Item
from envs.benchmarks.scored import Scored


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
    first sample is neither correct nor incorrect; `by_hops` has no items of unknown hops, `by_level` none without.
    `pass_at`: from k to the unbiased estimate of pass@k, for every k that all items have samples for.
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
    bootstrap. `p_value`: exact McNemar on the first samples; `only_first`, `only_second`: items that only one has right.
    """

    difference: Estimate
    p_value: float
    only_first: int
    only_second: int


def tabulate(items: Sequence[Item], scored: Sequence[Scored], *, seed: int = 0) -> Table:
    """The figures. Raises ValueError on a sample of no item, or twice the same sample."""
    raise NotImplementedError


def compare(items: Sequence[Item], first: Sequence[Scored], second: Sequence[Scored], *, seed: int = 0) -> Comparison:
    """The second run beside the first, pairwise. Raises ValueError if there is no item that both have."""
    raise NotImplementedError
