"""Steps with a KL term on real ranks: what is learnt, and that a resumed run learns the same."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from actors import placement
from actors.learner import LearnerGroup
from launch.train import learn
from launch.trajectories import LearntEpisode
from medrl.config import parse
from tests.actors.conftest import make_samples
from tests.tiny import save_tiny

pytestmark = pytest.mark.slow

STEPS, SAVED = 3, 1


def test_a_resumed_run_with_kl_learns_what_an_uninterrupted_one_does(tmp_path: Path) -> None:
    model, checkpoint = save_tiny(tmp_path / "model"), tmp_path / "checkpoint"
    checkpoint.mkdir()
    learner = {"ranks": 2, "threads": 1, "step_timeout_s": 240}
    grpo = {"kl": 0.5, "lr": 1e-3, "updates_per_batch": 2}
    config = parse({"name": "t", "model": {"dtype": "float32"}, "learner": learner, "grpo": grpo}, "the test")
    batches = [make_samples(6, seed) for seed in range(STEPS)]

    async def steps(group: LearnerGroup, begin: int) -> tuple[list[list[float]], list[dict[str, float]]]:
        if begin:
            await group.load_checkpoint(checkpoint)
        logged = []
        for step in range(begin, STEPS):
            before = await group.logprobs(batches[step])
            stats, learnt = await learn(group, batches[step], config.grpo, step)
            assert learnt == list(map(LearntEpisode.of, batches[step], before))
            logged.append({key: value for key, value in stats.items() if "second" not in key})
            if not begin and step + 1 == SAVED:
                await group.save_checkpoint(checkpoint)
        return await group.logprobs(batches[0]), logged

    with placement.session(config):
        with closing(LearnerGroup(config, model)) as group:
            whole, logged = asyncio.run(steps(group, 0))
        with closing(LearnerGroup(config, model)) as group:
            resumed, logged_again = asyncio.run(steps(group, SAVED))
    assert resumed == whole
    assert logged_again == logged[SAVED:]
    first, *later = [each["actor/kl_ref"] for each in logged]
    assert 0.0 < first < later[-1]  # the second update of the first step is off the reference already
