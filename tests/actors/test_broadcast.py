"""Weights by broadcast: real learner ranks, two real engines, Gloo in the place of NCCL."""

import asyncio
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from actors import placement
from actors.broadcast import Broadcast, TensorHeader
from actors.learner import LearnerGroup
from actors.pool import InferencePool
from medrl.config import Config, parse
from tests.actors.conftest import make_samples
from tests.actors.test_engines import all_armed, check_policy, processes, requests
from tests.tiny import save_tiny

RUN = {
    "name": "broadcast",
    "model": {"dtype": "float32", "max_length": 512},
    "pool": {
        "engines": 2,
        "kv_cache_gb": 0.1,
        "max_sequences": 8,
        "start_timeout_s": 150,
        "weight_transfer": "broadcast",
    },
    "learner": {"ranks": 2, "zero_stage": 3, "threads": 1},
}


def test_what_vllm_is_told_of_a_broadcast() -> None:
    headers = (TensorHeader("a", "bfloat16", (2, 3)), TensorHeader("b", "float32", (5,)))
    broadcast = Broadcast("127.0.0.1:4000", 5, headers)
    nccl = pytest.importorskip("vllm.distributed.weight_transfer.nccl_engine")
    joined = nccl.NCCLWeightTransferInitInfo(**broadcast.join(3))
    assert (joined.master_address, joined.master_port, joined.rank_offset) == ("127.0.0.1", 4000, 3)
    assert joined.world_size == 5 and joined.packed
    told = nccl.NCCLWeightTransferUpdateInfo(**broadcast.contents())
    assert told.names == ["a", "b"] and told.shapes == [[2, 3], [5]]
    assert broadcast.num_bytes == 2 * 6 + 4 * 5


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.contract("10 weights", "broadcast under requests, ZeRO-3 on 2 ranks; an engine killed, a new learner")
def test_engines_follow_the_learner(tmp_path: Path) -> None:
    config = parse(RUN | {"run_dir": str(tmp_path / "run")}, "the test")
    model = save_tiny(tmp_path / "model")
    with placement.session(config):
        pool = InferencePool(config, model)
        asyncio.run(_follow(config, pool, model, tmp_path))
        pool.close()


async def _follow(config: Config, pool: InferencePool, model: Path, folder: Path) -> None:
    policies: dict[int, LlamaForCausalLM] = {}

    async def step(learner: LearnerGroup, version: int) -> None:
        await learner.update(make_samples(), "policy", 1e-2)
        await learner.save_pretrained(folder / f"v{version}")
        policies[version] = LlamaForCausalLM.from_pretrained(folder / f"v{version}", dtype=torch.float32)
        metrics = await pool.follow(learner, version)
        assert 0 < metrics["sync/paused_s"] <= metrics["sync/seconds"]
        assert metrics["sync/bytes"] == 4 * policies[version].num_parameters()

    learner = LearnerGroup(config, model)
    await step(learner, 1)
    running = asyncio.create_task(requests(pool, "under"))
    await asyncio.sleep(0.5)
    await step(learner, 2)
    done = await running
    assert {version for one in done for version in one.versions} == {1, 2}
    assert any(set(one.versions) == {1, 2} for one in done)
    later = await requests(pool, "later", tokens=20)
    assert {version for one in later for version in one.versions} == {2}
    check_policy(done + later, policies)
    apart = [(a - b).abs().max() for a, b in zip(policies[1].parameters(), policies[2].parameters(), strict=True)]
    assert max(apart) > 1e-3  # so a stale weight would be seen

    watch = asyncio.create_task(pool.watch())
    processes("ray::EngineActor")[0].kill()
    await step(learner, 3)  # to the engine that is left
    async with asyncio.timeout(150):
        while not await all_armed(pool):  # the other has the files
            await asyncio.sleep(0.5)
    later = await requests(pool, "after a death", tokens=20)
    assert {version for one in later for version in one.versions} == {3}
    check_policy(later, policies)

    learner.close()
    learner = LearnerGroup(config, folder / "v3")
    await step(learner, 4)  # both engines, another learner: a new group
    later = await requests(pool, "another learner", tokens=20)
    assert {version for one in later for version in one.versions} == {4}
    check_policy(later, policies)
    watch.cancel()
    learner.close()
