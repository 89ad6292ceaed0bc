"""What a dead Ray actor means to those who wait for it."""

import asyncio
from typing import Any

from ray.exceptions import RayError

from medrl.errors import InfrastructureError


def actor_died(name: str, error: RayError, during: str = "") -> InfrastructureError:
    """The outage to raise, in one line. `during`: the call it died in."""
    reason = str(error).strip().splitlines()[0]
    return InfrastructureError(f"{name} died{' in ' if during else ''}{during}: {reason}")


def unheard(call: asyncio.Future[Any]) -> None:
    """A done-callback for calls that perhaps nobody waits for: an exception that is never looked at is printed."""
    if not call.cancelled():
        call.exception()
