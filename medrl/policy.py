# ruff: noqa: F722  (jaxtyping axes are strings)
"""Log-probabilities of the actions in an episode, from any Hugging Face causal language model."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

ROWS = 256
"""Rows of [ROWS, V] float32 that are alive at once in the log-softmax; 50 MB at a vocabulary of 49,152."""


class Scores(NamedTuple):
    """`logp`: log-prob of each action token given its prefix, nats, 0 elsewhere, with its graph. `entropy`: of the
    distribution it was drawn from, nats, 0 elsewhere, no graph."""

    logp: Float[Tensor, "B T"]
    entropy: Float[Tensor, "B T"]


class ActionLogProbs(nn.Module):
    """A causal LM that scores the tokens its agent chose.

    The LM head runs at action positions only. Log-softmax is in float32 over logits / temperature, the distribution
    the sampler drew from. Rows are right-padded; a row without actions costs nothing and harms nothing.
    """

    def __init__(self, model: Any, *, gradient_checkpointing: bool = False) -> None:
        """`model`: transformers.PreTrainedModel with an output embedding."""
        super().__init__()
        for name in ("final_logit_softcapping", "logits_scaling"):
            if getattr(model.config, name, None) not in (None, 1, 1.0):
                raise ValueError(f"{type(model).__name__} has {name}, which the head alone does not apply")
        self.model = model
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
        hidden_BTH = self.model.base_model(
            input_ids=input_ids, attention_mask=attention_mask.long(), use_cache=False
        ).last_hidden_state
        rows, columns = action_mask.nonzero(as_tuple=True)
        if rows.numel() == 0:
            # One row through the head and times 0, so that every parameter takes part in every backward pass.
            rows, columns, weight = rows.new_zeros(1), rows.new_ones(1), 0.0
        else:
            weight = 1.0
        logits_NV = self.model.get_output_embeddings()(hidden_BTH[rows, columns - 1])
        logp_N, entropy_N = _LogProbAndEntropy.apply(  # type: ignore[no-untyped-call]
            logits_NV, input_ids[rows, columns], temperature
        )
        zeros_BT = torch.zeros(input_ids.shape, dtype=torch.float32, device=input_ids.device)
        return Scores(
            zeros_BT.index_put((rows, columns), logp_N * weight),
            zeros_BT.index_put((rows, columns), entropy_N * weight),
        )


class _LogProbAndEntropy(torch.autograd.Function):
    """log softmax(logits / temperature)[target] and the entropy, in float32, a few rows at a time.

    Keeps the logits in their own dtype and remakes the softmax in the backward pass, into the gradient's place:
    an [N, V] float32 tensor is never alive. With p the softmax and y the target,
    d logp / d logits = (onehot(y) − p) / temperature.
    """

    @staticmethod
    def forward(
        ctx: Any, logits_NV: Float[Tensor, "N V"], targets_N: Int[Tensor, " N"], temperature: float
    ) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
        normaliser_N = logits_NV.new_empty(logits_NV.shape[0], dtype=torch.float32)
        logp_N = torch.empty_like(normaliser_N)
        entropy_N = torch.empty_like(normaliser_N)
        for start in range(0, logits_NV.shape[0], ROWS):
            part = slice(start, start + ROWS)
            scaled = logits_NV[part].float().div_(temperature)
            normaliser_N[part] = scaled.logsumexp(dim=-1)
            logp_N[part] = scaled.gather(1, targets_N[part, None]).squeeze(1) - normaliser_N[part]
            scaled -= normaliser_N[part, None]
            entropy_N[part] = -(scaled.exp().mul_(scaled.clamp_(min=-1e4))).sum(dim=-1)
        ctx.save_for_backward(logits_NV, targets_N, normaliser_N)
        ctx.temperature = temperature
        ctx.mark_non_differentiable(entropy_N)
        return logp_N, entropy_N

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        logits_NV, targets_N, normaliser_N = ctx.saved_tensors
        slope_N = grads[0] / ctx.temperature
        grad_NV = torch.empty_like(logits_NV)
        for start in range(0, logits_NV.shape[0], ROWS):
            part = slice(start, start + ROWS)
            softmax = logits_NV[part].float().div_(ctx.temperature).sub_(normaliser_N[part, None]).exp_()
            softmax.mul_(-slope_N[part, None])
            softmax.scatter_add_(1, targets_N[part, None], slope_N[part, None])
            grad_NV[part] = softmax
        return grad_NV, None, None
