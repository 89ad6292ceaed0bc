"""What one DeepSpeed rank has to remember between updates, as a safetensors file: no pickle.

A ZeRO optimizer holds flat float32 partitions of the weights, and AdamW's state for each. The weights that the model
computes with are made from the partitions, as DeepSpeed does after a step.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from actors.checkpoint import sync
from medrl.errors import DataError
from medrl.records import writing_tensors


def save_state(optimizer: Any, file: Path, facts: dict[str, str]) -> None:
    """Write the partitions of `optimizer` (DeepSpeed's, ZeRO 1 to 3) and AdamW's state of them.

    `facts`, such as the number of ranks, must be the same when it is read. Raises DataError without room.
    """
    tensors: dict[str, Tensor] = {}
    for index, partition in enumerate(_partitions(optimizer)):
        state = optimizer.optimizer.state.get(partition, {})
        named = {"fp32": partition.detach()} | {key: torch.as_tensor(value) for key, value in state.items()}
        tensors |= {f"{index}.{key}": value.contiguous() for key, value in named.items()}
    with writing_tensors(file.parent):
        save_file(tensors, file, metadata=facts)
    sync(file)


def load_state(optimizer: Any, file: Path, facts: dict[str, str]) -> None:
    """Go on from what `save_state` wrote. Raises DataError if it cannot be read or is of other `facts`."""
    try:
        with safe_open(file, framework="pt") as opened:
            held = opened.metadata() or {}
            for key, value in facts.items():
                if held.get(key) != value:
                    raise DataError(
                        f"{file} was written with {key}={held.get(key)}, this run has {value}: set it back to go on"
                    )
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  (not a dict)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{file}: the learner's state cannot be read ({error}): delete that checkpoint") from error
    with torch.no_grad():
        for index, partition in enumerate(_partitions(optimizer)):
            own = {name.partition(".")[2]: value for name, value in tensors.items() if name.startswith(f"{index}.")}
            partition.copy_(own.pop("fp32"))
            if own:
                # Copied, as what is read lies in the file until it is touched.
                optimizer.optimizer.state[partition] = {
                    key: value.to(partition.device, copy=True) for key, value in own.items()
                }
        _refresh(optimizer)


def _partitions(optimizer: Any) -> list[Tensor]:
    """Whatever DeepSpeed's classes call them: ZeRO-3, ZeRO-1 in bfloat16, the others."""
    for name in ("fp32_partitioned_groups_flat", "fp32_groups_flat_partition", "single_partition_of_fp32_groups"):
        if hasattr(optimizer, name):
            found: list[Tensor] = getattr(optimizer, name)
            return found
    raise TypeError(f"{type(optimizer).__name__} is not one of DeepSpeed's ZeRO optimizers")


def _refresh(optimizer: Any) -> None:
    """(collective) The weights of the model, from the partitions."""
    if not hasattr(optimizer, "fp32_partitioned_groups_flat"):
        optimizer.update_lp_params()
        return
    for group, flat32 in enumerate(optimizer.fp32_partitioned_groups_flat):
        flat = optimizer.fp16_partitioned_groups_flat[group]
        flat.copy_(flat32)
        parts = optimizer.unflatten(flat, optimizer.fp16_partitioned_groups[group])
        for parameter, part in zip(optimizer.fp16_partitioned_groups[group], parts, strict=True):
            parameter.data = part.data
