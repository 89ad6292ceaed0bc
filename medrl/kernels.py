"""RMSNorm and SwiGLU with their gradients written out, for CPUs.

As written in transformers they are chains of small operations whose float32 intermediates are all kept for the backward
pass; on CPU, where such chains are bound by memory, they take a third of the time of a training step. Here each keeps
its inputs alone. The forward values are the same to the last bit.
"""

from types import MethodType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def install(model: nn.Module) -> int:
    """Replace the forward of every RMSNorm and SwiGLU block that computes just that. Returns how many were replaced."""
    count = 0
    for module in model.modules():
        if _is_rms_norm(module):
            module.forward = MethodType(_rms_norm_forward, module)
            count += 1
        elif _is_swiglu(module):
            module.forward = MethodType(_swiglu_forward, module)
            count += 1
    return count


class RMSNorm(torch.autograd.Function):
    """y = weight · x / rms(x), rms in float32; Zhang and Sennrich 2019, arXiv:1910.07467."""

    @staticmethod
    def forward(ctx: Any, x: Float[Tensor, "*B H"], weight: Float[Tensor, " H"], eps: float) -> Float[Tensor, "*B H"]:
        x32 = x.float()
        scale = torch.rsqrt(torch.linalg.vector_norm(x32, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps))
        ctx.save_for_backward(x, weight, scale)
        return (x32 * scale).to(x.dtype) * weight

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None]:
        x, weight, scale = ctx.saved_tensors
        normed = x.float() * scale
        grad = grads[0].float()
        d_weight = (grad * normed).flatten(0, -2).sum(dim=0).to(weight.dtype) if ctx.needs_input_grad[1] else None
        grad = grad * weight
        mean = torch.linalg.vecdot(grad, normed).div_(x.shape[-1])
        d_x = grad.addcmul_(normed, mean[..., None], value=-1).mul_(scale)
        return d_x.to(x.dtype), d_weight, None


class SwiGLU(torch.autograd.Function):
    """silu(gate) · up; Shazeer 2020, arXiv:2002.05202."""

    @staticmethod
    def forward(ctx: Any, gate: Float[Tensor, "*B F"], up: Float[Tensor, "*B F"]) -> Float[Tensor, "*B F"]:
        ctx.save_for_backward(gate, up)
        return functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        grad = grads[0]
        d_up = functional.silu(gate).mul_(grad)
        d_gate = torch.ops.aten.silu_backward(grad * up, gate)
        return d_gate, d_up


def _rms_norm_forward(self: Any, hidden_states: Tensor) -> Tensor:
    out: Tensor = RMSNorm.apply(hidden_states, self.weight, self.variance_epsilon)  # type: ignore[no-untyped-call]
    return out


def _swiglu_forward(self: Any, x: Tensor) -> Tensor:
    out: Tensor = self.down_proj(SwiGLU.apply(self.gate_proj(x), self.up_proj(x)))  # type: ignore[no-untyped-call]
    return out


def _is_rms_norm(module: nn.Module) -> bool:
    """Those of the Llama kind; others (Gemma's, with 1 + weight) do not call their epsilon so."""
    return type(module).__name__ in ("LlamaRMSNorm", "Qwen2RMSNorm", "Qwen3RMSNorm")


def _is_swiglu(module: nn.Module) -> bool:
    names = ("LlamaMLP", "Qwen2MLP", "Qwen3MLP")
    return type(module).__name__ in names and getattr(module.config, "hidden_act", None) == "silu"
