"""Every item once an epoch, every batch a fair mixture, the same from the same seed wherever it is gone on from."""

import random
from collections import Counter
from fractions import Fraction
from itertools import chain, islice

from hypothesis import given
from hypothesis import strategies as st

from launch.batches import evenly, shuffled_batches

COUNTS = st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 40), min_size=1)


def _items(counts: dict[str, int]) -> list[tuple[str, int]]:
    return [(name, number) for name, count in counts.items() for number in range(count)]


def _task(item: tuple[str, int]) -> str:
    return item[0]


@given(COUNTS)
def test_no_share_is_ever_off_by_one(counts: dict[str, int]) -> None:
    order, n = evenly(counts), sum(counts.values())
    assert Counter(order) == counts
    bound = 1 - Fraction(1, max(2 * len(counts) - 2, 1))
    for k in range(1, n + 1):
        taken = Counter(order[:k])
        assert all(abs(taken[name] - Fraction(count * k, n)) <= bound for name, count in counts.items())


@given(COUNTS, st.integers(1, 20), st.integers(0, 1000))
def test_each_batch_holds_each_task_s_share(counts: dict[str, int], size: int, seed: int) -> None:
    items, n = _items(counts), sum(counts.values())
    for batch in islice(shuffled_batches(items, size, seed, _task), 3 * n // size + 1):
        tasks = Counter(map(_task, batch))
        assert len(batch) == size
        assert all(abs(tasks[name] - size * count / n) < 2 for name, count in counts.items())


@given(COUNTS, st.integers(1, 20), st.integers(0, 1000))
def test_every_item_comes_once_an_epoch_in_a_new_order(counts: dict[str, int], size: int, seed: int) -> None:
    items, n = _items(counts), sum(counts.values())
    stream = list(islice(chain.from_iterable(shuffled_batches(items, size, seed, _task)), 3 * n))
    epochs = [stream[start : start + n] for start in range(0, 3 * n, n)]
    assert all(sorted(epoch) == sorted(items) for epoch in epochs)
    if max(counts.values()) > 20:
        assert epochs[0] != epochs[1] != epochs[2]


@given(COUNTS, st.integers(1, 20), st.integers(0, 1000))
def test_the_same_seed_gives_the_same_batches(counts: dict[str, int], size: int, seed: int) -> None:
    items = _items(counts)
    first, again = (list(islice(shuffled_batches(items, size, seed, _task), 8)) for _ in range(2))
    assert first == again
    assert list(islice(shuffled_batches(items, size, seed, _task), 5, 8)) == first[5:]
    if len(items) > 40:
        assert first != list(islice(shuffled_batches(items, size, seed + 1, _task), 8))


def test_with_one_task_the_order_is_a_plain_shuffle() -> None:
    items, rng = list(range(10)), random.Random(5)
    expected = [*rng.sample(items, 10), *rng.sample(items, 10)]
    batches = islice(shuffled_batches(items, 4, 5, lambda _: ""), 5)
    assert list(chain.from_iterable(batches)) == expected
