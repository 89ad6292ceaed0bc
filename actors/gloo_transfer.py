"""vLLM's side of a broadcast between CPUs: its NCCL transfer engine with Gloo in NCCL's place, for its workers."""

from typing import Any

import torch
from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory
from vllm.distributed.weight_transfer.nccl_engine import (
    NCCLWeightTransferEngine,
    NCCLWeightTransferInitInfo,
    NCCLWeightTransferUpdateInfo,
)

from actors.broadcast import gloo_broadcast, gloo_group
from actors.weights import WeightLoader


class GlooWeightTransferEngine(NCCLWeightTransferEngine):
    """Receives tensor by tensor into main memory and hands each to the model's loader."""

    def init_transfer_engine(self, init_info: NCCLWeightTransferInitInfo) -> None:
        address = f"{init_info.master_address}:{init_info.master_port}"
        rank = init_info.rank_offset + self.parallel_config.rank
        self._gloo = gloo_group(address, rank, init_info.world_size)

    def update_weights(self, update_info: dict[str, Any]) -> None:
        self.receive_weights(self.parse_update_info(update_info))  # and no device to wait for

    def receive_weights(self, update_info: NCCLWeightTransferUpdateInfo) -> None:
        for name, dtype, shape in zip(update_info.names, update_info.dtype_names, update_info.shapes, strict=True):
            tensor = torch.empty(shape, dtype=getattr(torch, dtype))
            gloo_broadcast(self._gloo, tensor)
            self.model.load_weights([(name, tensor)])

    def shutdown(self) -> None:
        self._gloo = None


class GlooWeightLoader(WeightLoader):
    """`WeightLoader`, in a worker that knows the engine above by name."""


WeightTransferEngineFactory.register_engine("gloo", GlooWeightTransferEngine)
