"""The driver's handle on real ranks: what it says when one dies, and a second group in the same Ray session."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import ray

from actors import placement
from actors.learner import LearnerGroup
from medrl.config import Config, parse
from medrl.errors import LearnerLost
from tests.actors.conftest import make_samples

pytestmark = pytest.mark.slow


@pytest.fixture
def config() -> Iterator[Config]:
    learner = {"ranks": 2, "threads": 1, "step_timeout_s": 120}
    config = parse({"name": "t", "model": {"dtype": "float32"}, "learner": learner}, "the test")
    with placement.session(config):
        yield config


def test_a_lost_rank_is_named_and_another_group_goes_on_from_the_checkpoint(
    config: Config, tiny_folder: Path, tmp_path: Path
) -> None:
    samples = make_samples()

    async def ticks(work: asyncio.Task[object]) -> int:
        count = 0
        while not work.done():
            count += 1
            await asyncio.sleep(0.001)
        return count

    async def lose(group: LearnerGroup) -> list[list[float]]:
        await group.update(samples, "policy", 1e-3)
        await group.save_checkpoint(tmp_path)
        update = asyncio.create_task(group.update(samples, "policy", 1e-3))
        assert await ticks(update) > 1  # the loop goes on while the ranks work
        expected = await group.logprobs(samples)
        assert [len(row) for row in expected] == [len(sample.token_ids) for sample in samples]
        ray.kill(group._ranks[1])
        with pytest.raises(LearnerLost, match="learner-1"):
            await group.update(samples, "policy", 1e-3)
        return expected

    async def resume(group: LearnerGroup) -> list[list[float]]:
        with pytest.raises(ValueError, match="no action tokens"):
            await group.update([], "policy", 1e-3)
        await group.load_checkpoint(tmp_path)
        await group.update(samples, "policy", 1e-3)
        return await group.logprobs(samples)

    with closing(LearnerGroup(config, tiny_folder)) as first:
        expected = asyncio.run(lose(first))
    with closing(LearnerGroup(config, tiny_folder)) as second:
        assert not first._weights_folder.exists()
        assert asyncio.run(resume(second)) == expected
