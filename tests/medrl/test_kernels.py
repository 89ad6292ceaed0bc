import pytest
import torch
from torch.nn import functional
from transformers import LlamaConfig
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.llama.modeling_llama import LlamaMLP, LlamaRMSNorm

from medrl import kernels

dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])


def gradients(out: torch.Tensor, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    slope = torch.randn(out.shape, generator=torch.Generator().manual_seed(3)).to(out.dtype)
    return list(torch.autograd.grad(out, inputs, slope))


@dtypes
def test_rms_norm_is_that_of_transformers(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    reference = LlamaRMSNorm(48, eps=1e-5).to(dtype)
    reference.weight.data.uniform_(0.5, 1.5)
    x = (3 * torch.randn(2, 7, 48)).to(dtype).requires_grad_()
    own, expected = kernels.RMSNorm.apply(x, reference.weight, 1e-5), reference(x)
    torch.testing.assert_close(own, expected)
    tolerance = {"rtol": 2e-2, "atol": 2e-2} if dtype == torch.bfloat16 else {"rtol": 1e-5, "atol": 1e-5}
    inputs = [x, reference.weight]
    for found, wanted in zip(gradients(own, inputs), gradients(expected, inputs), strict=True):
        torch.testing.assert_close(found, wanted, **tolerance)


@dtypes
def test_swiglu_is_silu_times_up(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    gate, up = (torch.randn(5, 33).to(dtype).requires_grad_() for _ in range(2))
    own, expected = kernels.SwiGLU.apply(gate, up), functional.silu(gate) * up
    assert torch.equal(own, expected)
    for found, wanted in zip(gradients(own, [gate, up]), gradients(expected, [gate, up]), strict=True):
        torch.testing.assert_close(found, wanted)


def test_only_blocks_that_compute_just_that_are_replaced() -> None:
    silu, gelu = (
        LlamaMLP(LlamaConfig(hidden_size=8, intermediate_size=16, num_attention_heads=1, hidden_act=name))
        for name in ("silu", "gelu")
    )
    blocks = torch.nn.ModuleList([silu, gelu, LlamaRMSNorm(8), GemmaRMSNorm(8)])
    x = torch.randn(3, 8)
    before = [block(x) for block in blocks]
    assert kernels.install(blocks) == 2
    for block, expected in zip(blocks, before, strict=True):
        torch.testing.assert_close(block(x), expected)
