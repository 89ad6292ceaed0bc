"""How the ranks of a learner find each other, what they may be asked to learn, and what they say of it; imported
without DeepSpeed."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

Objective = Literal["policy", "sft"]


class Learnt(NamedTuple):
    """What an update says. `stats`: of the whole batch. `logprobs`: of each sample's action tokens before the update,
    nats, 0.0 elsewhere, as long as its tokens."""

    stats: dict[str, float]
    logprobs: list[list[float]]


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """One rank's place among the others, and where they meet.

    On one machine that is a new file, in a folder that only this user may enter: a store over TCP would listen on every
    interface. Across machines it is such a store, `host:port` of rank 0; their network has to be a private one.
    """

    store: Path | str
    rank: int = 0
    world_size: int = 1

    @property
    def init_method(self) -> str:
        """As torch.distributed takes it."""
        return f"file://{self.store}" if isinstance(self.store, Path) else f"tcp://{self.store}"

    def environment(self) -> dict[str, str]:
        """What DeepSpeed reads beside it."""
        return {"RANK": str(self.rank), "LOCAL_RANK": "0", "WORLD_SIZE": str(self.world_size)}


def free_address(host: str) -> str:
    """host:port at which nobody listens yet."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"


def listening(host: str, port: int) -> int:
    """File descriptor of a socket that listens at this address alone, for a store that would take every interface."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((host, port))
    server.listen()
    return server.detach()
