"""What can go wrong, by whose fault it is.

Four kinds, kept apart because each is answered differently:

    policy          a bad call, no answer          -> an `Ending`, scored like any other
    tool            an error the model should see  -> `ToolResult.mistake`, text in the observation
    infrastructure  an outage, a dead actor        -> `InfrastructureError`, retried or dropped, never scored
    data, config    a bad file, a bad key          -> `UserError`, one line, exit code 2
"""

from typing import TypeVar

E = TypeVar("E", bound=Exception)


class UserError(Exception):
    """The user can mend this. The message is one line that says what is wrong and what to do."""


class ConfigError(UserError):
    """A configuration that cannot be run: an unknown key, a value out of range, more than the cluster has."""


class DataError(UserError):
    """A file that is missing, unreadable or malformed."""


class InfrastructureError(Exception):
    """Something under the policy failed. The episode is retried or dropped; it never becomes a reward."""


class ToolOutage(InfrastructureError):
    """A tool could not be reached, as opposed to having been called wrongly."""


class NotRecorded(ToolOutage):
    """A replay holds no answer to a call: dropped at once, as no second try would find one."""


class Stalled(InfrastructureError):
    """A deadline passed. The message names the actor that blocks."""


class LearnerLost(InfrastructureError):
    """A rank of the learner died or hangs, and the others with it: start anew from the last checkpoint."""


def cause_of(error: E) -> E:
    """What an actor raised, if this is what Ray made of it; else the error itself."""
    return getattr(error, "cause", error)
