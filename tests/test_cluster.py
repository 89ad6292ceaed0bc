"""The same run on several nodes: raylets of this machine, each with a part of the actors."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray._private.state import actors as actor_table
from ray.cluster_utils import Cluster

from launch import pipeline, stages
from launch.players import Players
from medrl.config import parse
from tests.test_end_to_end import config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NODES = 3


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    head = {"num_cpus": 2, "node_ip_address": "127.0.0.1", "object_store_memory": 128 * 2**20}
    nodes = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(NODES - 1):
        nodes.add_node(**head)
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    monkeypatch.setenv("VLLM_HOST_IP", "127.0.0.1")
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    yield nodes
    ray.shutdown()
    nodes.shutdown()


@pytest.mark.contract("14 several nodes", "a run on a cluster of three raylets, its weights carried from node to node")
def test_a_run_on_three_nodes(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = config(tmp_path).model_dump()
    values["pool"] |= {"engines": 2}
    values["rollout"] |= {"workers": 3}
    values["grpo"] |= {"schedule": "async", "max_staleness": 2, "steps": 3}
    where: dict[str, str] = {}
    played = Players.play

    async def play(self: Players, *arguments: object) -> object:
        living = [actor for actor in actor_table().values() if actor["State"] == "ALIVE"]
        where.update({actor["Name"]: actor["Address"]["NodeID"] for actor in living})
        return await played(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Players, "play", play)
    run = pipeline.run(parse(values, "test"), stages.TRAIN).path
    assert len({where[f"rollout-{rank}"] for rank in range(3)}) > 1
    assert len({where["engine-0"], where["engine-1"]}) == 2
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["stage"] == "grpo"]
    assert [line["step"] for line in steps] == [0, 1, 2]
    assert all(line["rollout_corr/logp_diff_mean"] < 1e-3 for line in steps if not line["async/staleness_max"])
    assert all(line["async/staleness_max"] <= 2 for line in steps)
    assert (run / "checkpoints" / "rl" / "model.safetensors").exists()
