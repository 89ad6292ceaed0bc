"""How the ranks of a learner find each other, and what they may be asked to learn; imported without DeepSpeed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Objective = Literal["policy", "sft"]


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """One rank's place among the others, and the file over which they meet.

    `store` is new, in a folder that only this user may enter. A store over TCP would listen on every interface.
    """

    store: Path
    rank: int = 0
    world_size: int = 1

    @property
    def init_method(self) -> str:
        """As torch.distributed takes it."""
        return f"file://{self.store}"

    def environment(self) -> dict[str, str]:
        """What DeepSpeed reads beside it."""
        return {"RANK": str(self.rank), "LOCAL_RANK": "0", "WORLD_SIZE": str(self.world_size)}
