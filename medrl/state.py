"""The state of an episode beside its conversation: s_t = (c_t, k_t, h_t) (MedResearcher-R1, arXiv:2508.14880).

    c_t  the conversation: `Rollout.steps`, and its tokens
    k_t  `State.facts`: a knowledge graph of what the tools returned
    h_t  `State.hypotheses` and `State.paths`: what was held, dropped or confirmed, and the ways that were gone

`envs.state` keeps it; it is exported with the episode.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Fact:
    """An edge of k_t. `source`: id of the document that stated it; `turn`: the first that showed it, from 1."""

    subject: str
    predicate: str
    object: str
    source: str
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line of a differential: a disease and its P(D | s, c)."""

    name: str
    probability: float


class Status(StrEnum):
    """What the agent makes of a hypothesis; the rules are in `envs.state`."""

    HELD = "held"
    DROPPED = "dropped"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A candidate answer, or an entity on the way to it. `turn`: the one that gave it this status, for `reason`;
    `probability`: that of the last differential which ranked it."""

    name: str
    status: Status
    reason: str
    turn: int
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class State:
    """(k_t, h_t). `paths`: chains of entities, each found in what a tool said of the one before it."""

    facts: tuple[Fact, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    paths: tuple[tuple[str, ...], ...] = ()
