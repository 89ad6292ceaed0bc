"""How the ranks of a learner find each other, and what they may be asked to learn; imported without DeepSpeed."""

from dataclasses import dataclass
from typing import Literal

Objective = Literal["policy", "sft"]


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """How the ranks of a learner find each other: torch.distributed over TCP."""

    rank: int = 0
    world_size: int = 1
    address: str = "127.0.0.1"
    port: int = 29500

    def environment(self) -> dict[str, str]:
        return {
            "RANK": str(self.rank),
            "LOCAL_RANK": "0",
            "WORLD_SIZE": str(self.world_size),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
        }
