"""Causal attention over episodes laid end to end, without padding; made for CPUs.

Registered with transformers as the attention implementation `ragged`. The model is run on [1, N] tokens: first the
`shared` tokens that all episodes begin with, computed once, then what follows them in each episode; `lengths` says
where each of these ends. All attend to the shared tokens, none to another episode.

    two episodes, shared 3, lengths (2, 4), N = 9:    s s s | a a | b b b b

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
BLOCK = 256
"""Queries handled at once in the backward pass: larger products against more work above the diagonal."""


def ragged_attention(
    module: Any,
    query: Float[Tensor, "1 Hq N D"],
    key: Float[Tensor, "1 Hk N D"],
    value: Float[Tensor, "1 Hk N D"],
    attention_mask: Tensor | None,
    *,
    scaling: float,
    lengths: tuple[int, ...],
    shared: int = 0,
    dropout: float = 0.0,
    **others: Any,
) -> tuple[Float[Tensor, "1 N Hq D"], None]:
    """transformers' attention interface. Hq is a multiple of Hk (grouped queries)."""
    if attention_mask is not None or dropout:
        raise ValueError("ragged attention knows neither masks nor dropout")
    for name in ("sliding_window", "softcap", "s_aux", "position_bias"):
        if others.get(name) is not None:
            raise ValueError(f"ragged attention does not know {name}={others[name]!r}")
    out = _Ragged.apply(query[0], key[0], value[0], scaling, lengths, shared)  # type: ignore[no-untyped-call]
    return out.transpose(0, 1)[None], None


def register() -> None:
    """Make `ragged` known to transformers."""
    AttentionInterface.register(NAME, ragged_attention)
    AttentionMaskInterface.register(NAME, lambda *args, **kwargs: None)


class _Ragged(torch.autograd.Function):
    """softmax(scaling · Q Kᵀ + causal) V for each episode; [H, N, D] in and out."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, scaling: float, lengths: tuple[int, ...], shared: int
    ) -> Float[Tensor, "Hq N D"]:
        groups = query.shape[0] // key.shape[0]
        # [N, H, D] in memory, as the output projection that follows wants it
        out = query.new_empty(query.shape[1], query.shape[0], query.shape[2]).transpose(0, 1)
        for prefix, start, end in _spans(lengths, shared):
            k, v = _seen(key, prefix, start, end), _seen(value, prefix, start, end)
            part, _ = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
                query[None, :, start:end], k.repeat_interleave(groups, 0)[None], v.repeat_interleave(groups, 0)[None],
                0.0, prefix == 0, attn_mask=_causal(prefix, end - start, query) if prefix else None, scale=scaling,
            )  # fmt: skip
            out[:, start:end] = part[0]
        ctx.save_for_backward(query, key, value)
        ctx.scaling, ctx.lengths, ctx.shared = scaling, lengths, shared
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        query, key, value = ctx.saved_tensors
        d_out = grads[0]
        heads, groups = key.shape[0], query.shape[0] // key.shape[0]
        d_query, d_key, d_value = torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)
        causal = torch.ones(BLOCK, BLOCK, dtype=torch.bool, device=query.device).triu_(1)
        # Every episode adds to the gradient of the shared tokens; in float32, as they may be many.
        d_shared_key = torch.zeros_like(key[:, : ctx.shared], dtype=torch.float32)
        d_shared_value = torch.zeros_like(d_shared_key)

        def fold(x: Tensor) -> Tensor:
            """[Hq, b, D] -> [Hk, groups · b, D]: the queries that share a key head, one below the other."""
            return x.reshape(heads, groups * x.shape[1], x.shape[2])

        for prefix, start, end in _spans(ctx.lengths, ctx.shared):
            k, v = _seen(key, prefix, start, end).contiguous(), _seen(value, prefix, start, end).contiguous()
            d_k, d_v = torch.zeros_like(k, dtype=torch.float32), torch.zeros_like(v, dtype=torch.float32)
            for low in range(start, end, BLOCK):
                high = min(low + BLOCK, end)
                rows, seen = high - low, prefix + high - start
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
            if start < ctx.shared:
                d_shared_key += d_k
                d_shared_value += d_v
            else:
                d_shared_key += d_k[:, :prefix]
                d_shared_value += d_v[:, :prefix]
                d_key[:, start:end] = d_k[:, prefix:]
                d_value[:, start:end] = d_v[:, prefix:]
        d_key[:, : ctx.shared] = d_shared_key
        d_value[:, : ctx.shared] = d_shared_value
        return d_query, d_key, d_value, None, None, None


def _seen(x: Float[Tensor, "H N D"], prefix: int, start: int, end: int) -> Float[Tensor, "H M D"]:
    """The `prefix` shared tokens, then those of the span itself."""
    return torch.cat([x[:, :prefix], x[:, start:end]], dim=1) if prefix else x[:, start:end]


def _causal(prefix: int, rows: int, like: Tensor) -> Float[Tensor, "rows seen"]:
    """Added to the scores: the shared tokens are seen by all rows, the span's own as far as they have come."""
    after = torch.ones(rows, prefix + rows, dtype=torch.bool, device=like.device).triu_(prefix + 1)
    return torch.zeros(after.shape, dtype=like.dtype, device=like.device).masked_fill_(after, -torch.inf)


def _spans(lengths: tuple[int, ...], shared: int) -> list[tuple[int, int, int]]:
    """(tokens seen before it, start, end) of the shared span, if there is one, and of each episode's own that is not
    empty."""
    spans, start = [(0, 0, shared)] if shared else [], shared
    for length in lengths:
        if length:
            spans.append((shared, start, start + length))
        start += length
    return spans
