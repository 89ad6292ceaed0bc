import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medrl.packing import TrainSample, collate, empty_micro_batch, micro_batches, shards


def sample(length: int, seed: int = 0) -> TrainSample:
    mask = [False] + [(seed + i) % 3 == 0 for i in range(1, length)]
    return TrainSample(list(range(seed, seed + length)), mask, [-0.5 * m for m in mask], float(seed))


lengths = st.lists(st.integers(1, 50), max_size=30)


@given(lengths, st.integers(1, 120))
def test_micro_batches_hold_every_sample_once_within_the_budget(sizes: list[int], budget: int) -> None:
    samples = [sample(size, seed) for seed, size in enumerate(sizes)]
    batches = micro_batches(samples, budget)
    assert sorted(i for batch in batches for i in batch) == list(range(len(samples)))
    for batch in batches:
        padded = len(batch) * max(sizes[i] for i in batch)
        assert padded <= budget or len(batch) == 1


@given(lengths, st.integers(1, 120))
def test_micro_batches_could_not_take_the_next_sample_too(sizes: list[int], budget: int) -> None:
    batches = micro_batches([sample(size) for size in sizes], budget)
    for batch in batches[:-1]:
        assert (len(batch) + 1) * max(sizes[i] for i in batch) > budget


def computed(samples: list[TrainSample], batch: list[int]) -> int:
    """Tokens that ragged attention computes: what all rows begin with, once, and the rest of each."""
    rows = [samples[i].token_ids for i in batch]
    shared = 0
    while all(len(row) > shared and row[shared] == rows[0][shared] for row in rows):
        shared += 1
    return shared + sum(len(row) - shared for row in rows)


rows = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=20)


def unmasked(ids: list[int]) -> TrainSample:
    return TrainSample(ids, [False] * len(ids), [0.0] * len(ids), 0.0)


@given(rows, st.integers(1, 60))
def test_ragged_micro_batches_hold_every_sample_once_within_the_budget(ids: list[list[int]], budget: int) -> None:
    samples = [unmasked(row) for row in ids]
    batches = micro_batches(samples, budget, ragged=True)
    assert sorted(i for batch in batches for i in batch) == list(range(len(samples)))
    for batch in batches:
        assert computed(samples, batch) <= budget or len(batch) == 1


@given(rows)
def test_ragged_micro_batches_compute_no_more_than_one_batch_of_all(ids: list[list[int]]) -> None:
    samples = [unmasked(row) for row in ids]
    batches = micro_batches(samples, 10_000, ragged=True)
    assert sum(computed(samples, batch) for batch in batches) <= computed(samples, list(range(len(samples))))


def test_groups_of_one_question_stay_together_and_unlike_ones_apart() -> None:
    """Two questions behind a common system prompt: 4 + 3 · 2 tokens of each are cheaper apart than 2 + 6 · 4 at once;
    single trajectories still share the system prompt."""
    groups = [unmasked([9, 9, question, question, sample, 5]) for sample in range(3) for question in (1, 2)]
    assert micro_batches(groups, 1000, ragged=True) == [[0, 2, 4], [1, 3, 5]]
    single = [unmasked([9, 9, question, question, 5]) for question in range(4)]
    assert micro_batches(single, 1000, ragged=True) == [[0, 1, 2, 3]]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 6))
def test_shards_hold_every_sample_once_and_differ_by_less_than_the_longest(sizes: list[int], ranks: int) -> None:
    parts = shards([sample(size) for size in sizes], ranks)
    assert len(parts) == ranks
    assert sorted(i for part in parts for i in part) == list(range(len(sizes)))
    loads = [sum(sizes[i] for i in part) for part in parts]
    assert max(loads) - min(loads) <= max(sizes)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_collate_keeps_each_row_and_masks_the_padding(sizes: list[int]) -> None:
    samples = [sample(size, seed) for seed, size in enumerate(sizes)]
    batch = collate(samples, pad_id=-1)
    assert batch.input_ids.shape == (len(sizes), max(sizes))
    for row, own in enumerate(samples):
        size = len(own.token_ids)
        assert batch.input_ids[row, :size].tolist() == own.token_ids
        assert batch.input_ids[row, size:].eq(-1).all()
        assert batch.attention_mask[row].tolist() == [True] * size + [False] * (max(sizes) - size)
        assert batch.action_mask[row, :size].tolist() == own.action_mask
        assert not batch.action_mask[row, size:].any()
        assert batch.rollout_logp[row, :size].tolist() == own.logprobs
    assert batch.advantages.tolist() == [own.advantage for own in samples]


def test_log_probs_of_tokens_that_are_no_actions_are_dropped() -> None:
    batch = collate([TrainSample([1, 2, 3], [False, True, False], [float("nan"), -1.0, float("inf")], 1.0)], pad_id=0)
    assert batch.rollout_logp.tolist() == [[0.0, -1.0, 0.0]]


def test_an_empty_micro_batch_has_nothing_to_learn() -> None:
    batch = empty_micro_batch(pad_id=7)
    assert not batch.action_mask.any()
    assert batch.attention_mask.any()
    assert torch.isfinite(batch.rollout_logp).all()


@pytest.mark.parametrize(
    ("ids", "mask", "logprobs", "why"),
    [
        ([1, 2], [False], [0.0, 0.0], "same tokens"),
        ([], [], [], "without tokens"),
        ([1, 2], [True, False], [0.0, 0.0], "no prefix"),
    ],
)
def test_a_sample_that_cannot_be_trained_on_is_refused(
    ids: list[int], mask: list[bool], logprobs: list[float], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        TrainSample(ids, mask, logprobs, 0.0)
