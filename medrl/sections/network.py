"""How services on the network are asked."""

from typing import Annotated

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
