"""What the controller's handles say of their actors, without Ray."""

import asyncio
from dataclasses import replace
from typing import Any

from actors.engine import Pulse
from actors.meter import Meter, Reading
from actors.pool import InferencePool
from actors.rollout import GroupOutcome, Play, RolloutWorkers
from actors.signs import Sign
from medrl.types import RolloutGroup
from tests import fakes


def pool_of(*pulses: Pulse) -> InferencePool:
    pool = object.__new__(InferencePool)
    pool._names, pool._pulses = [f"engine-{index}" for index in range(len(pulses))], list(pulses)
    pool._together, pool._watched = 4, False
    return pool


def test_an_engine_tells_what_runs_and_what_waits_only_while_it_is_watched() -> None:
    pulse = Pulse("n", 7, True, 3, 0.0, version=2, work=Reading(9.0, 8.0, 40.0, 6), tokens=120)
    pool = pool_of(pulse, replace(pulse, armed=False, work=Reading(2.0, 1.0, 1.0, 1), tokens=0))
    assert pool.signs() == {"engine-0": Sign(9.0), "engine-1": Sign(2.0, ready=False)}

    async def watched() -> dict[str, Sign]:
        pool._engines = [None, None]
        pool._tend = lambda index: asyncio.sleep(10)  # type: ignore[method-assign,assignment,return-value]
        watch = asyncio.create_task(pool.watch())
        await asyncio.sleep(0)
        found = pool.signs()
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        return found

    assert asyncio.run(watched()) == {
        "engine-0": Sign(9.0, True, {"requests_running": 4, "requests_waiting": 2, "policy_version": 2}, 120),
        "engine-1": Sign(2.0, False, {"requests_running": 1, "requests_waiting": 0, "policy_version": 2}, 0),
    }
    assert pool.signs()["engine-0"].tokens is None


class Remote:
    """An actor's method whose answer comes when it is let."""

    def __init__(self) -> None:
        self.answers: list[asyncio.Future[Any]] = []

    def remote(self, *arguments: Any) -> asyncio.Future[Any]:
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]


class Actor:
    def __init__(self) -> None:
        self.run_group = Remote()


def test_workers_tell_how_many_episodes_they_have_and_that_a_group_is_done() -> None:
    async def play() -> list[tuple[float, float]]:
        workers, actor = object.__new__(RolloutWorkers), Actor()
        workers._names, workers._workers, workers._load, workers._last_outcome = ["rollout-0"], [actor], [0], 0.0
        workers._episodes, workers._outcomes = [Meter()], [0]

        async def outcome(reference: Any) -> GroupOutcome:
            done: GroupOutcome = await reference
            return done

        workers._outcome = outcome  # type: ignore[method-assign]

        def told() -> tuple[float, float]:
            sign = workers.signs()["rollout-0"]
            return sign.heard, sign.figures["episodes"]

        seen = [told()]
        playing = [asyncio.create_task(workers.play(Play(fakes.question(), n, 1.0), 1)) for n in (8, 3)]
        await asyncio.sleep(0)
        seen.append(told())
        for answer in actor.run_group.answers:
            answer.set_result(GroupOutcome(RolloutGroup(fakes.question(), ()), ()))
            await asyncio.sleep(0.01)
            seen.append(told())
        await asyncio.gather(*playing)
        assert workers.readings()["rollout-0"].under_way == 0
        return seen

    assert asyncio.run(play()) == [(0, 0), (0, 11), (1, 3), (2, 0)]
