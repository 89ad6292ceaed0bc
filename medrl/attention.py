"""Causal attention over episodes laid end to end, without padding; made for CPUs.

Registered with transformers as the attention implementation `ragged`. The model is run on [1, N] tokens, N the sum of
all episodes' lengths; `lengths` says where each one ends, and none attends to another.

The forward pass is torch's flash kernel. Its backward pass is several times slower on CPU than the matrix products it
is made of, so it is written out here, in blocks of queries: scores are made again, and nothing of size
[T, T] is kept between the passes.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface

NAME = "ragged"
BLOCK = 128
"""Queries handled at once in the backward pass; scores of 9 heads, [128, 600] in bf16, fit in a core's L2 cache."""


def ragged_attention(
    module: Any,
    query: Float[Tensor, "1 Hq N D"],
    key: Float[Tensor, "1 Hk N D"],
    value: Float[Tensor, "1 Hk N D"],
    attention_mask: Tensor | None,
    *,
    scaling: float,
    lengths: tuple[int, ...],
    dropout: float = 0.0,
    **others: Any,
) -> tuple[Float[Tensor, "1 N Hq D"], None]:
    """transformers' attention interface. Hq is a multiple of Hk (grouped queries)."""
    if attention_mask is not None or dropout:
        raise ValueError("ragged attention knows neither masks nor dropout")
    for name in ("sliding_window", "softcap", "s_aux", "position_bias"):
        if others.get(name) is not None:
            raise ValueError(f"ragged attention does not know {name}={others[name]!r}")
    out = _Ragged.apply(query[0], key[0], value[0], scaling, lengths)  # type: ignore[no-untyped-call]
    return out.transpose(0, 1)[None], None


def register() -> None:
    """Make `ragged` known to transformers."""
    AttentionInterface.register(NAME, ragged_attention)
    AttentionMaskInterface.register(NAME, lambda *args, **kwargs: None)


class _Ragged(torch.autograd.Function):
    """softmax(scaling · Q Kᵀ + causal) V for each episode; [H, N, D] in and out."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, scaling: float, lengths: tuple[int, ...]
    ) -> Float[Tensor, "Hq N D"]:
        groups = query.shape[0] // key.shape[0]
        # [N, H, D] in memory, as the output projection that follows wants it
        out = query.new_empty(query.shape[1], query.shape[0], query.shape[2]).transpose(0, 1)
        for start, end in _spans(lengths):
            q, k, v = query[:, start:end], key[:, start:end], value[:, start:end]
            part, _ = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
                q[None], k.repeat_interleave(groups, 0)[None], v.repeat_interleave(groups, 0)[None],
                0.0, True, scale=scaling,
            )  # fmt: skip
            out[:, start:end] = part[0]
        ctx.save_for_backward(query, key, value)
        ctx.scaling = scaling
        ctx.lengths = lengths
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query, key, value = ctx.saved_tensors
        d_out = grads[0]
        heads, groups = key.shape[0], query.shape[0] // key.shape[0]
        d_query, d_key, d_value = torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)
        causal = torch.ones(BLOCK, BLOCK, dtype=torch.bool, device=query.device).triu_(1)

        def fold(x: Tensor) -> Tensor:
            """[Hq, b, D] -> [Hk, groups · b, D]: the queries that share a key head, one below the other."""
            return x.reshape(heads, groups * x.shape[1], x.shape[2])

        for start, end in _spans(ctx.lengths):
            k, v = key[:, start:end].contiguous(), value[:, start:end].contiguous()
            d_k, d_v = torch.zeros_like(k, dtype=torch.float32), torch.zeros_like(v, dtype=torch.float32)
            for low in range(start, end, BLOCK):
                high = min(low + BLOCK, end)
                rows, seen = high - low, high - start
                q, d_o = fold(query[:, low:high] * ctx.scaling), fold(d_out[:, low:high])
                scores = torch.bmm(q, k[:, :seen].transpose(1, 2))
                # Only the last columns hold keys that come after some of the queries.
                scores.view(heads, groups, rows, seen)[..., -rows:].masked_fill_(causal[:rows, :rows], -torch.inf)
                p = torch.softmax(scores, dim=-1)
                d_v[:, :seen] += torch.bmm(p.transpose(1, 2), d_o)
                d_p = torch.bmm(d_o, v[:, :seen].transpose(1, 2))
                d_s = torch.ops.aten._softmax_backward_data(d_p, p, -1, p.dtype)
                d_query[:, low:high] = torch.bmm(d_s, k[:, :seen]).view(heads * groups, rows, -1) * ctx.scaling
                d_k[:, :seen] += torch.bmm(d_s.transpose(1, 2), q)
            d_key[:, start:end] = d_k
            d_value[:, start:end] = d_v
        return d_query, d_key, d_value, None, None


def _spans(lengths: tuple[int, ...]) -> list[tuple[int, int]]:
    spans, start = [], 0
    for length in lengths:
        spans.append((start, start + length))
        start += length
    return spans
