"""From episodes to tensors: micro-batches that fill a token budget, and shards of equal work for the ranks.

    samples, lengths [5, 9, 3], max_tokens 10  ->  micro_batches [[1], [0], [2]]  or  [[1], [0, 2]] (2 rows of 5)

Tensors are right-padded. The order within a micro-batch does not change the gradient, only the time it takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True)
class TrainSample:
    """One episode as the learner sees it; the three lists run over its T tokens.

    `logprobs` are the sampler's, in nats at the sampling temperature, read only where `action_mask` is True.
    `question_id` and `sample` name the episode for who logs it; nothing is computed from them.
    """

    token_ids: list[int]
    action_mask: list[bool]
    logprobs: list[float]
    advantage: float
    question_id: str = ""
    sample: int = 0

    def __post_init__(self) -> None:
        if not len(self.token_ids) == len(self.action_mask) == len(self.logprobs):
            lengths = f"{len(self.token_ids)}, {len(self.action_mask)}, {len(self.logprobs)}"
            raise ValueError(f"token_ids, action_mask and logprobs must run over the same tokens; lengths {lengths}")
        if not self.token_ids:
            raise ValueError("an episode without tokens cannot be trained on")
        if self.action_mask[0]:
            raise ValueError("the first token has no prefix to be predicted from; it cannot be an action")

    @property
    def num_actions(self) -> int:
        return sum(self.action_mask)


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Right-padded tensors of B episodes, T the longest. `attention_mask` is True on tokens, False on padding."""

    input_ids: Int[Tensor, "B T"]
    attention_mask: Bool[Tensor, "B T"]
    action_mask: Bool[Tensor, "B T"]
    rollout_logp: Float[Tensor, "B T"]
    advantages: Float[Tensor, " B"]

    def to(self, device: torch.device) -> "MicroBatch":
        tensors = (self.input_ids, self.attention_mask, self.action_mask, self.rollout_logp, self.advantages)
        return MicroBatch(*(tensor.to(device, non_blocking=True) for tensor in tensors))


def micro_batches(samples: Sequence[TrainSample], max_tokens: int, *, ragged: bool = False) -> list[list[int]]:
    """Indices of `samples`, each exactly once, in micro-batches of at most `max_tokens` computed tokens.

    Padded, a micro-batch computes rows × the longest row. Longest first, so that rows of like length meet and the
    first micro-batch shows the peak of memory.

    `ragged`, nothing is computed for padding, and what all rows begin with is computed once (`medrl.attention`). Rows
    with the longest common beginning meet, those of one question first of all, and a micro-batch ends where the next
    row shares so little that it would cost the others more than it saves.

    A sample longer than the budget stands alone.
    """
    if max_tokens < 1:
        raise ValueError(f"max_tokens={max_tokens}: must be above 0")
    return _ragged_batches(samples, max_tokens) if ragged else _padded_batches(samples, max_tokens)


def _padded_batches(samples: Sequence[TrainSample], max_tokens: int) -> list[list[int]]:
    batches: list[list[int]] = []
    width = 0
    for index in sorted(range(len(samples)), key=lambda i: (-len(samples[i].token_ids), i)):
        if not batches or (len(batches[-1]) + 1) * width > max_tokens:
            batches.append([])
            width = len(samples[index].token_ids)
        batches[-1].append(index)
    return batches


def _ragged_batches(samples: Sequence[TrainSample], max_tokens: int) -> list[list[int]]:
    batches: list[list[int]] = []
    total = shared = 0  # of the last batch: tokens in all rows together, tokens that they begin with
    for index in sorted(range(len(samples)), key=lambda i: (samples[i].token_ids, i)):  # neighbours share the most
        row = samples[index].token_ids
        if batches:
            count = len(batches[-1])
            common = min(shared, _common_prefix(samples[batches[-1][-1]].token_ids, row))
            apart = total - (count - 1) * shared + len(row)
            together = total + len(row) - count * common
            if together <= min(apart, max_tokens):
                batches[-1].append(index)
                total, shared = total + len(row), common
                continue
        batches.append([index])
        total = shared = len(row)
    return batches


def _common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    return next((place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def shards(samples: Sequence[TrainSample], ranks: int) -> list[list[int]]:
    """Indices of `samples`, each exactly once, in `ranks` shards of nearly equal tokens.

    Longest first, each to the least loaded.
    """
    if ranks < 1:
        raise ValueError(f"ranks={ranks}: must be above 0")
    parts: list[list[int]] = [[] for _ in range(ranks)]
    load = [0] * ranks
    for index in sorted(range(len(samples)), key=lambda i: (-len(samples[i].token_ids), i)):
        rank = load.index(min(load))
        parts[rank].append(index)
        load[rank] += len(samples[index].token_ids)
    return parts


def collate(samples: Sequence[TrainSample], pad_id: int) -> MicroBatch:
    """Pad `samples` on the right to the longest of them."""
    if not samples:
        raise ValueError("collate: no samples; use `empty_micro_batch`")
    shape = (len(samples), max(len(sample.token_ids) for sample in samples))
    input_ids = torch.full(shape, pad_id, dtype=torch.long)
    attention_mask = torch.zeros(shape, dtype=torch.bool)
    action_mask = torch.zeros(shape, dtype=torch.bool)
    rollout_logp = torch.zeros(shape, dtype=torch.float32)
    for row, sample in enumerate(samples):
        length = len(sample.token_ids)
        input_ids[row, :length] = torch.tensor(sample.token_ids)
        attention_mask[row, :length] = True
        action_mask[row, :length] = torch.tensor(sample.action_mask)
        rollout_logp[row, :length] = torch.tensor(sample.logprobs)
    rollout_logp.masked_fill_(~action_mask, 0.0)
    advantages = torch.tensor([sample.advantage for sample in samples], dtype=torch.float32)
    return MicroBatch(input_ids, attention_mask, action_mask, rollout_logp, advantages)


def empty_micro_batch(pad_id: int) -> MicroBatch:
    """One row, nothing to learn: what a rank runs when the others still have work, so that collectives match."""
    return collate([TrainSample([pad_id, pad_id], [False, False], [0.0, 0.0], 0.0)], pad_id)
