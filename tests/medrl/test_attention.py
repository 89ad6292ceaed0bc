import math

import pytest
import torch
from torch import Tensor

from medrl.attention import ragged_attention


def oracle(query: Tensor, key: Tensor, value: Tensor, scaling: float, lengths: tuple[int, ...], shared: int) -> Tensor:
    """Vaswani et al. 2017, eq. 1, with a mask that keeps episodes apart; [1, H, N, D] -> [1, N, H, D]."""
    groups = query.shape[1] // key.shape[1]
    own = [index for index, length in enumerate(lengths) for _ in range(length)]
    episode = torch.tensor([-1] * shared + own)
    place = torch.arange(len(episode))
    same_or_shared = (episode[:, None] == episode[None]) | (episode == -1)[None]
    allowed = same_or_shared & (place[:, None] >= place[None])
    scores = query @ key.repeat_interleave(groups, 1).transpose(2, 3) * scaling
    weights = torch.softmax(scores.masked_fill(~allowed, -math.inf), dim=-1)
    return (weights @ value.repeat_interleave(groups, 1)).transpose(1, 2)


@pytest.mark.parametrize("lengths", [(1,), (5, 300, 0, 1, 130), (128, 256), (129, 127)])
@pytest.mark.parametrize("shared", [0, 1, 140])
@pytest.mark.parametrize("groups", [1, 3])
def test_values_and_gradients_equal_the_formula(lengths: tuple[int, ...], groups: int, shared: int) -> None:
    torch.manual_seed(0)
    inputs = [torch.randn(1, heads, shared + sum(lengths), 16, requires_grad=True) for heads in (2 * groups, 2, 2)]
    doubles = [tensor.detach().double().requires_grad_() for tensor in inputs]
    out, _ = ragged_attention(None, *inputs, None, scaling=0.25, lengths=lengths, shared=shared)
    expected = oracle(*doubles, scaling=0.25, lengths=lengths, shared=shared)
    torch.testing.assert_close(out.double(), expected, rtol=1e-4, atol=1e-5)
    slope = torch.randn(out.shape)
    own = torch.autograd.grad(out, inputs, slope)
    for found, wanted in zip(own, torch.autograd.grad(expected, doubles, slope.double()), strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-5)


def test_what_it_does_not_know_is_refused() -> None:
    inputs = [torch.randn(1, 2, 4, 16) for _ in range(3)]
    with pytest.raises(ValueError, match="masks"):
        ragged_attention(None, *inputs, torch.ones(1, 1, 4, 4), scaling=1.0, lengths=(4,))
    with pytest.raises(ValueError, match="sliding_window"):
        ragged_attention(None, *inputs, None, scaling=1.0, lengths=(4,), sliding_window=2)
