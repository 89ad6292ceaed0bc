"""What the controller knows of its actors without asking: signs of life that come with the work, and Ray's table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import ray
from ray._private.state import actors as actor_table  # public is the state API, which needs a dashboard server

State = Literal["starting", "alive", "restarting", "dead", "stopped"]
_STATES: dict[str, State] = {
    "DEPENDENCIES_UNREADY": "starting",
    "PENDING_CREATION": "starting",
    "ALIVE": "alive",
    "RESTARTING": "restarting",
    "DEAD": "dead",
}


@dataclass(frozen=True, slots=True)
class Sign:
    """Of one actor. `heard` is another number whenever it has been heard of since. `ready`: it does its work, rather
    than getting ready for it. `figures`: what it has under way. `tokens`: sampled in all; None where it samples none.
    """

    heard: float
    ready: bool = True
    figures: Mapping[str, float] = field(default_factory=dict)
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An actor in Ray's table. `node` is Ray's id. `stopped`: it was ended on purpose; `dead`: it was not."""

    name: str
    process: int
    node: str
    state: State
    restarts: int
    begun: int


def entries() -> list[Entry]:
    """The named actors of this process's session, each name once: the last that had it. One call to Ray's server."""
    job = ray.get_runtime_context().get_job_id()
    found = [
        Entry(
            each["Name"],
            each["Pid"],
            each["Address"]["NodeID"],
            "stopped" if _on_purpose(each["DeathCause"]) else _STATES[each["State"]],
            each["NumRestarts"],
            each["StartTime"],
        )
        for each in actor_table().values()
        if each["Name"] and each["JobID"] == job
    ]
    return list({entry.name: entry for entry in sorted(found, key=lambda entry: entry.begun)}.values())


def _on_purpose(cause: object) -> bool:
    """`cause` is a protobuf message, whose text names the reason."""
    return any(reason in str(cause) for reason in ("reason: RAY_KILL", "reason: OUT_OF_SCOPE", "reason: REF_DELETED"))
