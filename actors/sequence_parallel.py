"""DeepSpeed-Ulysses (arXiv:2309.14509): the ranks of a group each hold a slice of every episode, and for attention
exchange it against a share of the heads.

    episode of T tokens, 2 ranks:   rank 0 [0, T/2)   rank 1 [T/2, T)   -- attention: all T, half of the heads each

All else is computed on the slice. The last hidden states are gathered, and every rank of the group scores all actions,
so that the loss may look at whole episodes. Tested over gloo; not yet run on a GPU.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

from medrl.errors import ConfigError
from medrl.policy import ActionLogProbs


def split_attention(network: Any, size: int) -> Any:
    """(collective) Let transformers' `sdpa` attend over the slices of `size` ranks; what DeepSpeed takes as `mpu`.

    Holds for the whole process and every model in it. Raises ConfigError if the heads cannot be shared out.
    """
    from deepspeed.runtime.sequence_parallel.ulysses_sp import UlyssesSPAttentionHF

    queries, keys = network.config.num_attention_heads, network.config.num_key_value_heads
    if queries % size or (keys % size and size % keys):
        raise ConfigError(
            f"learner.sequence_parallel={size}: the model has {queries} heads and {keys} of keys, which cannot be "
            "shared out; use a divisor of both"
        )
    return UlyssesSPAttentionHF.register_with_transformers(
        network, core_attn_implementation="sdpa", sequence_parallel_size=size, micro_batch_size=1
    )


class SplitActionLogProbs(ActionLogProbs):
    """`ActionLogProbs` of one episode at a time, its tokens over the ranks of `group`.

    Every rank returns all scores. Gradients come out as partial sums over the group: added up over its ranks, and
    divided by their number, they are those of the loss.
    """

    def __init__(self, model: Any, group: Any, *, gradient_checkpointing: bool = False) -> None:
        super().__init__(model, gradient_checkpointing=gradient_checkpointing)
        self._group = group

    def _hidden(self, input_ids: Tensor, attention_mask: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        if len(input_ids) != 1:
            raise ValueError(f"{len(input_ids)} episodes at once: sequence parallelism takes one")
        ranks, rank = dist.get_world_size(self._group), dist.get_rank(self._group)
        # Padding comes last, and attention is causal: no action sees it.
        padded = functional.pad(input_ids, (0, -input_ids.shape[1] % ranks))
        positions = torch.arange(padded.shape[1], device=padded.device)[None]
        own, places = padded.chunk(ranks, dim=1)[rank], positions.chunk(ranks, dim=1)[rank].contiguous()
        states = self.model.base_model(input_ids=own, position_ids=places, use_cache=False)[0]
        gathered: Tensor = _Gather.apply(states, self._group)  # type: ignore[no-untyped-call]
        return gathered[rows, columns]


class _Gather(torch.autograd.Function):
    """The slices of all ranks, one after the other; every rank's gradient of a slice goes back to its owner."""

    @staticmethod
    def forward(ctx: Any, own_BTH: Tensor, group: Any) -> Tensor:
        ctx.group = group
        parts = [torch.empty_like(own_BTH) for _ in range(dist.get_world_size(group))]
        dist.all_gather(parts, own_BTH.contiguous(), group=group)
        return torch.cat(parts, dim=1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        total = grads[0].contiguous().clone()
        dist.all_reduce(total, group=ctx.group)
        return total.chunk(dist.get_world_size(ctx.group), dim=1)[dist.get_rank(ctx.group)], None
