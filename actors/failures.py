"""What a dead Ray actor means to those who wait for it."""

from ray.exceptions import RayError

from medrl.errors import InfrastructureError


def actor_died(name: str, error: RayError, during: str = "") -> InfrastructureError:
    """The outage to raise, in one line. `during`: the call it died in."""
    reason = str(error).strip().splitlines()[0]
    return InfrastructureError(f"{name} died{' in ' if during else ''}{during}: {reason}")
