"""Log-probabilities of the actions in an episode, from any Hugging Face causal language model."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from medrl import attention, kernels

ROWS = 512
"""Rows of float32 logits [ROWS, V] alive at once; 100 MB at a vocabulary of 49,152."""


def changed_logits(config: Mapping[str, Any]) -> list[str]:
    """Settings in a config.json by which the logits are not those of the head alone, which is all that is run here."""
    keys = ("final_logit_softcapping", "logits_scaling", "logit_scale", "lm_head_multiplier")
    return [key for key in keys if config.get(key) not in (None, 1, 1.0)]


class Scores(NamedTuple):
    """`logp`: log-prob of each action token given its prefix, nats, 0 elsewhere, with its graph. `entropy`: of the
    distribution it was drawn from, nats, 0 elsewhere, no graph."""

    logp: Float[Tensor, "B T"]
    entropy: Float[Tensor, "B T"]


class ActionLogProbs(nn.Module):
    """A causal LM that scores the tokens its agent chose.

    The LM head runs at action positions only. Log-softmax is in float32 over logits / temperature, the distribution
    the sampler drew from. Rows are right-padded; a row without actions costs nothing and harms nothing.

    On CPU (`ragged`) nothing is computed for padding, and the tokens that all rows begin with (the system prompt, or a
    group's whole prompt) are computed once; see `medrl.attention`.
    """

    def __init__(self, model: Any, *, gradient_checkpointing: bool = False, ragged: bool = False) -> None:
        """`model`: transformers.PreTrainedModel with an output embedding."""
        super().__init__()
        for name in changed_logits(model.config.to_dict()):
            raise ValueError(f"{type(model).__name__} has {name}, which the head alone does not apply")
        self.model = model
        self.ragged = ragged
        if ragged:
            attention.register()
            model.set_attn_implementation(attention.NAME)
            kernels.install(model)
        if gradient_checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        attention_mask: Bool[Tensor, "B T"],
        action_mask: Bool[Tensor, "B T"],
        temperature: float = 1.0,
    ) -> Scores:
        """Score the tokens where `action_mask` is True. The first token of a row has no prefix and is never scored."""
        if not temperature > 0:
            raise ValueError(f"temperature={temperature}: log-probs need a temperature above 0")
        if bool(action_mask[:, 0].any()):
            raise ValueError("a row begins with an action; its first token has no prefix to be predicted from")
        rows, columns = action_mask.nonzero(as_tuple=True)
        weight = 1.0
        if rows.numel() == 0:
            # One position through the head and times 0, so that every parameter takes part in every backward pass.
            rows, columns, weight = rows.new_zeros(1), rows.new_ones(1), 0.0
        hidden_NH = self._hidden(input_ids, attention_mask, rows, columns - 1)
        logp_N, entropy_N = self._head(hidden_NH, input_ids[rows, columns], temperature)
        zeros_BT = torch.zeros(input_ids.shape, dtype=torch.float32, device=input_ids.device)
        return Scores(
            zeros_BT.index_put((rows, columns), logp_N * weight),
            zeros_BT.index_put((rows, columns), entropy_N * weight),
        )

    def _hidden(self, input_ids: Tensor, attention_mask: Tensor, rows: Tensor, columns: Tensor) -> Float[Tensor, "N H"]:
        """Last hidden states, final norm applied, at the given positions."""
        body = self.model.base_model
        if not self.ragged:
            states_BTH = body(input_ids=input_ids, attention_mask=attention_mask.long(), use_cache=False)[0]
            picked: Tensor = states_BTH[rows, columns]
            return picked
        lengths = attention_mask.sum(dim=1)
        shared = _common_prefix(input_ids, attention_mask)
        own = [int(length) - shared if length else 0 for length in lengths]
        offsets = torch.arange(input_ids.shape[1], device=input_ids.device).expand_as(input_ids)
        keep = attention_mask & (offsets >= shared)
        states_MH = body(
            input_ids=torch.cat([input_ids[0, :shared], input_ids[keep]])[None],
            position_ids=torch.cat([offsets[0, :shared], offsets[keep]])[None],
            use_cache=False,
            lengths=tuple(own),
            shared=shared,
        )[0][0]
        # A row's own tokens begin where those of the rows before it end.
        starts = torch.tensor([0, *own[:-1]], device=input_ids.device).cumsum(dim=0)
        packed: Tensor = states_MH[torch.where(columns < shared, columns, starts[rows] + columns)]
        return packed

    def _head(
        self, hidden_NH: Tensor, targets_N: Tensor, temperature: float
    ) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
        head = self.model.get_output_embeddings()
        if self.ragged and head.bias is None and not hasattr(head.weight, "ds_id"):  # ds_id: sharded by ZeRO-3
            scores = _HeadScores.apply(hidden_NH, head.weight, targets_N, temperature)  # type: ignore[no-untyped-call]
        else:
            scores = _LogitScores.apply(head(hidden_NH), targets_N, temperature)  # type: ignore[no-untyped-call]
        logp_N, entropy_N = scores
        return logp_N, entropy_N


def _common_prefix(input_ids: Int[Tensor, "B T"], attention_mask: Bool[Tensor, "B T"]) -> int:
    """How many tokens all rows that have any begin with; 0 where there is one row, which shares with nobody."""
    filled = attention_mask.any(dim=1)
    if int(filled.sum()) < 2 or not bool(filled[0]):
        return 0
    same = ((input_ids == input_ids[0]) & attention_mask)[filled].all(dim=0)
    return int(same.long().cumprod(dim=0).sum())


class _LogitScores(torch.autograd.Function):
    """log softmax(logits / temperature)[target] and the entropy, in float32, ROWS at a time.

    With p the softmax and y the target, d logp / d logits = (onehot(y) − p) / temperature. That residual is what is
    kept for the backward pass, in the logits' own dtype; rounded after the subtraction, so that it stays exact where
    the policy is sure.
    """

    @staticmethod
    def forward(ctx: Any, logits_NV: Tensor, targets_N: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        keep = ctx.needs_input_grad[0]
        residual_NV = torch.empty_like(logits_NV) if keep else None
        parts = []
        for rows in _row_slices(targets_N):
            scaled = logits_NV[rows].float().div_(temperature)
            parts.append(_score(scaled, targets_N[rows], None if residual_NV is None else residual_NV[rows]))
        ctx.save_for_backward(residual_NV)
        ctx.temperature = temperature
        return _joined(ctx, parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (residual_NV,) = ctx.saved_tensors
        return residual_NV * (grads[0] / ctx.temperature)[:, None].to(residual_NV.dtype), None, None


class _HeadScores(torch.autograd.Function):
    """`_LogitScores` of hidden · weightᵀ, with logits that are never rounded to bf16.

    The products are of bf16 numbers, added up and kept in float32. Rounding logits near 20 to bf16 alone would move
    log-probs by some 0.03 nats.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden_NH: Tensor, weight_VH: Tensor, targets_N: Tensor, temperature: float
    ) -> tuple[Tensor, Tensor]:
        keep = ctx.needs_input_grad[0]
        residual_NV = hidden_NH.new_empty(len(targets_N), len(weight_VH)) if keep else None
        parts = []
        weight32_VH = weight_VH.float()
        with _bf16_products(weight_VH.dtype == torch.bfloat16):
            for rows in _row_slices(targets_N):
                scaled = functional.linear(hidden_NH[rows].float(), weight32_VH)
                if temperature != 1.0:
                    scaled.div_(temperature)
                parts.append(_score(scaled, targets_N[rows], None if residual_NV is None else residual_NV[rows]))
        ctx.save_for_backward(hidden_NH, weight_VH, residual_NV)
        ctx.temperature = temperature
        return _joined(ctx, parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        hidden_NH, weight_VH, residual_NV = ctx.saved_tensors
        grad_NV = residual_NV * (grads[0] / ctx.temperature)[:, None].to(residual_NV.dtype)
        d_weight_VH = grad_NV.t() @ hidden_NH if ctx.needs_input_grad[1] else None  # frozen beside adapters
        return grad_NV @ weight_VH, d_weight_VH, None, None


def _score(
    scaled_RV: Float[Tensor, "R V"], targets_R: Int[Tensor, " R"], residual_RV: Tensor | None
) -> tuple[Float[Tensor, " R"], Float[Tensor, " R"]]:
    """log-prob of the targets and entropy; writes onehot − softmax to `residual_RV`."""
    p_RV = torch.softmax(scaled_RV, dim=-1)
    likeliest_R1 = scaled_RV.argmax(dim=-1, keepdim=True)  # its probability is at least 1 / V, safe to take the log of
    normaliser_R = (scaled_RV.gather(1, likeliest_R1) - p_RV.gather(1, likeliest_R1).log()).squeeze(1)
    logp_R = scaled_RV.gather(1, targets_R[:, None]).squeeze(1) - normaliser_R
    entropy_R = normaliser_R - torch.linalg.vecdot(p_RV, scaled_RV)
    if residual_RV is not None:
        p_RV.neg_().scatter_add_(1, targets_R[:, None], torch.ones_like(logp_R)[:, None])
        residual_RV.copy_(p_RV)
    return logp_R, entropy_R


def _joined(ctx: Any, parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    logp_N = torch.cat([logp for logp, _ in parts])
    entropy_N = torch.cat([entropy for _, entropy in parts])
    ctx.mark_non_differentiable(entropy_N)
    return logp_N, entropy_N


def _row_slices(targets_N: Tensor) -> Iterator[slice]:
    for start in range(0, len(targets_N), ROWS):
        yield slice(start, start + ROWS)


@contextmanager
def _bf16_products(enabled: bool) -> Iterator[None]:
    """Let oneDNN multiply float32 matrices as bf16, adding up in float32: exact where the numbers came from bf16."""
    matmul: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = matmul.fp32_precision
    try:
        if enabled:
            matmul.fp32_precision = "bf16"
        yield
    finally:
        matmul.fp32_precision = before
