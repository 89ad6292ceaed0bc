"""The order in which SFT goes through its trajectories: every one once an epoch, every batch a fair mixture of tasks.

A batch holds of each task what its share of the trajectories comes to, give or take less than two, by Tijdeman's
solution of the chairman assignment problem (Discrete Mathematics 32, 1980): after any number of items, each task has
had its share of them to within one.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

T = TypeVar("T")


def shuffled_batches(items: Sequence[T], size: int, seed: int, task: Callable[[T], str]) -> Iterator[list[T]]:
    """Endless batches, from `seed` alone: every item once an epoch, in a new order each epoch, tasks evenly mixed.

    Where all items have one task, the order is a plain shuffle.
    """
    rng = random.Random(seed)
    by_task: defaultdict[str, list[T]] = defaultdict(list)
    for item in items:
        by_task[task(item)].append(item)
    order = evenly({name: len(by_task[name]) for name in sorted(by_task)})
    queue: list[T] = []
    while True:
        while len(queue) < size:
            left = {name: iter(rng.sample(by_task[name], len(by_task[name]))) for name in sorted(by_task)}
            queue += [next(left[name]) for name in order]
        yield queue[:size]
        queue = queue[size:]


def evenly(counts: Mapping[str, int]) -> list[str]:
    """Each name as often as `counts` says, so that after k of all n items a name with c of them has occurred c·k/n
    times, give or take 1 - 1/(2m - 2) for m names."""
    n, slack = sum(counts.values()), max(2 * len(counts) - 2, 1)
    taken: Counter[str] = Counter()
    order: list[str] = []
    for k in range(1, n + 1):
        behind = {name: Fraction(count * k, n) - taken[name] for name, count in counts.items()}
        due = [name for name in counts if behind[name] * slack >= 1]
        # Of those that may come, the one that must come first: its share would soonest be ahead of it by the bound.
        name = min(due, key=lambda each: (1 - Fraction(1, slack) - behind[each]) / Fraction(counts[each], n))
        taken[name] += 1
        order.append(name)
    return order
