"""How services on the network are asked."""

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import Field

from medrl.sections.base import Positive, Seconds, Section


class NetworkConfig(Section):
    """Of each service, in each process."""

    timeout_s: Seconds = Field(20.0, description="one attempt, from connecting to the last byte")
    attempts: Positive = Field(4, description="tries at one request, before it counts as an outage")
    backoff_s: Annotated[float, Field(ge=0)] = Field(
        0.5, description="wait before the second attempt, doubled each time up to 60, half of it by chance"
    )
    most_bytes: Positive = Field(5_000_000, description="longest answer")
    processes: Positive = Field(1, description="that ask at once: each takes this part of the rate a service allows")


def split_address(url: str) -> SplitResult:
    """The parts of a web address. Raises ValueError, without showing it, if it is none."""
    try:
        address = urlsplit(url)
        host = (address.hostname or "").encode("idna")
        valid = address.scheme in ("http", "https") and host and address.port != 0
    except ValueError:
        valid = False
    if not valid or re.search(r"[\s\\]", url) or not url.isprintable():
        raise ValueError("url is not an address such as http://127.0.0.1:8000/v1, with http or https and a host")
    return address


def check_bare(url: str, name: str) -> None:
    """Raises ValueError, without showing it, if the address may hold something secret, or is none. `name`: the key."""
    try:
        address = split_address(url)
    except ValueError:
        raise ValueError(f"{name} is no address with http or https and a host, as https://mirror.example") from None
    if address.username is not None or address.password is not None or address.query or address.fragment:
        raise ValueError(f"{name} holds a password, or a part after ? or #: leave it out; keys are in the environment")
