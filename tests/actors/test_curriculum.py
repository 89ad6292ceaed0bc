"""The curriculum in its own process, killed between its answers."""

import asyncio
import os
import signal
from collections.abc import Iterator

import psutil
import pytest
import ray

from actors.curriculum import CurriculumService
from medrl.config import Config, parse
from tests import fakes
from tests.medrl.episodes import group_of

pytestmark = pytest.mark.slow

QUESTIONS = [fakes.question(id=f"q{number}", hops=2 + number % 3) for number in range(30)]


@pytest.fixture(scope="module")
def config() -> Iterator[Config]:
    from actors import placement

    settings = parse({"name": "t"}, "the test")
    with placement.session(settings):
        yield settings


def pids() -> list[int]:
    """Of the curriculum's actors, in whatever session this is."""
    return [
        process.pid
        for process in psutil.Process().children(recursive=True)
        if (process.cmdline() or [""])[0].startswith("ray::CurriculumActor")
    ]


async def draw(service: CurriculumService, kill_after: int | None) -> tuple[list[str], dict[str, float]]:
    drawn = []
    metrics: dict[str, float] = {}
    for number in range(6):
        questions = await service.sample(4)
        drawn += [question.id for question in questions]
        metrics = await service.observe([group_of(question, 1.0, 0.0) for question in questions])
        if number == kill_after:
            [pid] = pids()
            os.kill(pid, signal.SIGKILL)
    return drawn, metrics


@pytest.mark.contract("8 faults", "curriculum actor killed between answers: same questions as without")
def test_a_killed_one_goes_on_as_if_it_had_not_been(config: Config) -> None:
    with CurriculumService.running(config, QUESTIONS) as service:
        want = asyncio.run(draw(service, None))
    with CurriculumService.running(config, QUESTIONS) as service:
        assert asyncio.run(draw(service, 2)) == want
    assert len(set(want[0])) == 24
    assert want[1]["curriculum/pass_rate/2"] == pytest.approx(0.5)
    assert ray.is_initialized()


def test_a_checkpoint_goes_on_where_it_was(config: Config) -> None:
    with CurriculumService.running(config, QUESTIONS) as service:
        asyncio.run(service.sample(7))
        state = service.state
        want = [question.id for question in asyncio.run(service.sample(9))]
    with CurriculumService.running(config, QUESTIONS, state) as service:
        assert [question.id for question in asyncio.run(service.sample(9))] == want
