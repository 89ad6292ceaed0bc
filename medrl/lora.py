"""Low-rank adapters (Hu et al. 2021, arXiv:2106.09685) on the linear layers of attention and MLP, by the library peft.

    y = x Wᵀ + scale · x Aᵀ Bᵀ,   scale = alpha / rank,   A [r, in] random, B [out, r] zero at first

The model itself is changed, so what reads it (scoring, export) sees the same modules with or without adapters.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Weight(NamedTuple):
    """A weight of the base model; on an adapted layer, with its factors."""

    base: nn.Parameter
    a: nn.Parameter | None = None
    b: nn.Parameter | None = None
    scale: float = 0.0

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that `merged` reads."""
        return [parameter for parameter in (self.base, self.a, self.b) if parameter is not None]

    def merged(self) -> Float[Tensor, "..."]:
        """W + scale · B A, computed in float32 and rounded once; without factors W itself, not a copy."""
        base = self.base.detach()
        if self.a is None or self.b is None:
            return base
        return torch.addmm(base.float(), self.b.detach().float(), self.a.detach().float(), alpha=self.scale).to(
            base.dtype
        )


def add_adapters(model: Any, *, rank: int, alpha: float, seed: int) -> None:
    """Put adapters into a transformers.PreTrainedModel and freeze all else. They change no output at first.

    The same `seed` gives the same A on every rank. Raises ValueError if no linear layer is found, as peft does.
    """
    from peft import LoraConfig, inject_adapter_in_model  # here: it imports much, and most runs do without

    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules="all-linear", lora_dropout=0.0, bias="none")  # type: ignore[arg-type]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        inject_adapter_in_model(config, model)


@contextmanager
def without_adapters(model: nn.Module) -> Iterator[None]:
    """In the block the model computes as it did before `add_adapters`."""
    from peft.tuners.tuners_utils import BaseTunerLayer  # here: see above

    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def weights(model: nn.Module) -> Iterator[tuple[str, Weight]]:
    """The weights of the base model by the names they have in its folder, tied ones once, each with its adapter."""
    own = dict(model.named_parameters())
    for name, parameter in own.items():
        layer, adapted, kind = name.partition(".base_layer.")
        if adapted and kind == "weight":
            module: Any = model.get_submodule(layer)
            a, b = (own[f"{layer}.lora_{factor}.default.weight"] for factor in "AB")
            yield f"{layer}.weight", Weight(parameter, a, b, module.scaling["default"])
        elif ".lora_A." not in name and ".lora_B." not in name:
            yield name.replace(".base_layer.", "."), Weight(parameter)
