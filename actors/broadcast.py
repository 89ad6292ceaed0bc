"""New weights by broadcast: learner rank 0 sends, and all workers of the engines receive, straight into their models.

    learner rank 0 = group rank 0        worker w of engine e = group rank 1 + e · pool.tensor_parallel + w

NCCL between GPUs, by the transfer engine that vLLM has for it; Gloo between CPUs, by one of ours in its place
(actors/gloo_transfer.py). Either way the course is vLLM's: start, receive, finish.

The group is made anew when an engine or the learner is. One that dies in a broadcast takes the others' call with it:
the pool starts those engines again, and the learner goes on from its checkpoint.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import torch
import torch.distributed as dist

from actors.rendezvous import listening
from medrl.config import Config

JOIN_WITHIN_S = 120.0
"""How long the members of a Gloo group wait for each other; those of an NCCL group wait as long as vLLM lets them."""


@dataclass(frozen=True, slots=True)
class TensorHeader:
    """A tensor that is to come. `dtype`: its name in torch."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Where sender and receivers meet (`address`: host:port of rank 0), how many they are, and what is sent."""

    address: str
    world_size: int
    headers: tuple[TensorHeader, ...]

    @property
    def num_bytes(self) -> int:
        return sum(torch.Size(header.shape).numel() * getattr(torch, header.dtype).itemsize for header in self.headers)

    def join(self, offset: int) -> dict[str, Any]:
        """vLLM's `NCCLWeightTransferInitInfo` for an engine whose first worker has rank `offset`."""
        host, _, port = self.address.rpartition(":")
        where = {"master_address": host, "master_port": int(port), "world_size": self.world_size}
        return where | {"rank_offset": offset, "packed": True}

    def contents(self) -> dict[str, Any]:
        """vLLM's `NCCLWeightTransferUpdateInfo`."""
        return {
            "names": [header.name for header in self.headers],
            "dtype_names": [header.dtype for header in self.headers],
            "shapes": [list(header.shape) for header in self.headers],
        }


def transport(config: Config) -> Literal["nccl", "gloo"]:
    """What carries a broadcast on the run's devices; vLLM's name of the transfer engine."""
    return "nccl" if config.device == "cuda" else "gloo"


class Sender:
    """Learner rank 0's end, for one group."""

    def __init__(self, broadcast: Broadcast, kind: Literal["nccl", "gloo"]) -> None:
        """Waits for the receivers. With NCCL on the process's current GPU."""
        self.address = broadcast.address
        self._kind = kind
        if kind == "nccl":
            from vllm.distributed.weight_transfer.nccl_common import trainer_init

            self._group: Any = trainer_init(broadcast.join(0))
        else:
            self._group = gloo_group(broadcast.address, 0, broadcast.world_size)

    def send(self, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Send tensors in the order of the headers; returns when they may be changed again."""
        if self._kind == "gloo":
            for _, tensor in tensors:
                gloo_broadcast(self._group, tensor.contiguous())
            return
        from vllm.distributed.weight_transfer.packed_tensor import packed_nccl_broadcast_producer

        packed_nccl_broadcast_producer(iter(tensors), self._group, src=0, post_iter_func=lambda pair: pair[1])
        torch.cuda.synchronize()

    def close(self) -> None:
        """Leave the group."""
        if self._kind == "nccl":
            self._group.destroy()
        self._group = None


def gloo_group(address: str, rank: int, size: int) -> Any:
    """A group beside the process's own. Raises RuntimeError if the others do not come within JOIN_WITHIN_S."""
    host, _, port = address.rpartition(":")
    limit = timedelta(seconds=JOIN_WITHIN_S)
    if rank == 0:
        store = dist.TCPStore(
            host, int(port), size, is_master=True, timeout=limit, master_listen_fd=listening(host, int(port))
        )
    else:
        store = dist.TCPStore(host, int(port), size, is_master=False, timeout=limit)
    return dist.ProcessGroupGloo(dist.PrefixStore("weights", store), rank, size, limit)


def gloo_broadcast(group: Any, tensor: torch.Tensor) -> None:
    """From rank 0 to all, in place."""
    options = dist.BroadcastOptions()
    options.rootRank = 0
    group.broadcast([tensor], options).wait()
