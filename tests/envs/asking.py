"""What the tests of services share: keys that must not be seen, pauses that are noted and not waited for, and every way
in which a service behaves badly."""

import numpy as np

from envs.retrieval.embedding import Floats
from medrl.sections.network import NetworkConfig
from tests.misbehaving import (
    Behaviour,
    breaks_off,
    folded,
    hangs,
    hangs_up,
    is_not_http,
    raw,
    status,
    trickles,
)

KEY = "sk-correct-horse-battery"
VECTOR: Floats = np.zeros(3, np.float32)
"""Live sources rank by themselves: they look at no embedding."""

QUICK = NetworkConfig(timeout_s=30.0, attempts=3, backoff_s=0.0, most_bytes=100_000)
HASTY = QUICK.model_copy(update={"timeout_s": 0.3, "attempts": 1})
"""Its deadline is meant to pass."""


async def at_once(seconds: float) -> None:
    """A pause that takes no time."""


#: Behaviours of which the service may recover, and the reason that is given for each.
PASSING: list[tuple[Behaviour, str]] = [
    (hangs_up, "RemoteProtocolError"),
    (breaks_off, "RemoteProtocolError"),
    (is_not_http, "RemoteProtocolError"),
    (status(429), "HTTP status 429"),
    (status(500, KEY), "HTTP status 500"),
    (status(503, "x" * 200_000), "HTTP status 503"),
    (raw(b"x" * 200_000), "an answer of more than 100,000 bytes"),
    (folded(b" " * 5_000_000), "an answer of more than 100,000 bytes"),
    (folded(b"{}" * 1000, sent=20), "an answer that breaks off"),
    (raw(b"not gzip", headers={"Content-Encoding": "gzip"}), "an answer that is not gzip"),
    (raw(b"..", headers={"Content-Encoding": "br"}), "an answer in the encoding 'br', which was not asked for"),
]

#: Behaviours of which a client that waited for it would never see the end.
ENDLESS: list[Behaviour] = [hangs, trickles]
