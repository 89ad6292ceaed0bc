"""Which failures are tried again."""

import asyncio

import pytest

from actors.rollout import persist
from envs.network.outcomes import Failure, SetAside
from medrl.errors import DataError, InfrastructureError, NotRecorded, ToolOutage
from medrl.types import Rollout
from tests.medrl.episodes import episode, final

EPISODE = episode(final("FBN1"))


def outcome(*failures: Exception, attempts: int = 3) -> tuple[Rollout | InfrastructureError, list[int]]:
    """What comes of an episode that fails so at first; the attempts that were made."""
    made: list[int] = []

    async def play(attempt: int) -> Rollout:
        made.append(attempt)
        if attempt < len(failures):
            raise failures[attempt]
        return EPISODE

    return asyncio.run(persist(play, attempts)), made


def test_an_outage_is_tried_again_and_the_last_one_told() -> None:
    outages = [ToolOutage(f"number {number}") for number in range(3)]
    assert outcome(*outages[:2]) == (EPISODE, [0, 1, 2])
    assert outcome(*outages) == (outages[2], [0, 1, 2])


def test_what_a_replay_lacks_is_not_asked_for_twice() -> None:
    lacking = NotRecorded("no answer is recorded")
    assert outcome(lacking) == (lacking, [0])
    assert outcome(ToolOutage("away"), lacking) == (lacking, [0, 1])


def test_what_an_endpoint_set_aside_is_not_asked_for_twice() -> None:
    aside = SetAside("m at somewhere", Failure.NO_REPLY, ("HTTP status 503",) * 4)
    assert outcome(aside) == (aside, [0])


def test_what_the_user_must_mend_ends_the_work() -> None:
    with pytest.raises(DataError, match="damaged"):
        outcome(DataError("damaged"))
