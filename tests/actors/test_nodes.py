"""An engine on another node than the learner: weights go there as Ray objects. Two raylets on one machine."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from actors import session
from actors.pool import InferencePool
from medrl.config import parse
from medrl.errors import InfrastructureError
from tests.actors.test_engines import check_policy, requests, weights
from tests.tiny import save_tiny

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Ids of the node with the driver and the learner's weights, and of the one where the engine is seated."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    other = cluster.add_node(num_cpus=2)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    for name, value in session.QUIET.items():
        monkeypatch.setenv(name, value)
    root = str(Path(__file__).parents[2])
    ray.init(cluster.address, configure_logging=False, runtime_env={"env_vars": {"PYTHONPATH": root}})
    own = ray.get_runtime_context().get_node_id()
    yield own, other.node_id
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.contract("10 weights", "to an engine on another node, checked there")
def test_weights_reach_an_engine_on_another_node(nodes: tuple[str, str], tmp_path: Path) -> None:
    own, other = nodes
    values = {
        "name": "nodes",
        "model": {"dtype": "float32", "max_length": 512},
        "pool": {"kv_cache_gb": 0.1, "max_sequences": 8},
    }
    pool = InferencePool(parse(values, "the test"), save_tiny(tmp_path / "model"))
    assert [pulse.node for pulse in pool._pulses] == [other]
    ref, model = weights(tmp_path, 4, node=own)
    asyncio.run(pool.update_weights(ref))
    done = asyncio.run(requests(pool, "away", tokens=30))
    assert {version for one in done for version in one.versions} == {4}
    check_policy(done, {4: model})

    torn, _ = weights(tmp_path, 5, node=own)
    file = torn.path / torn.files[0][0]
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(InfrastructureError, match="version 5: 00000.safetensors has checksum"):
        asyncio.run(pool.update_weights(torn))
    check_policy(asyncio.run(requests(pool, "still", tokens=30)), {4: model})
    pool.close()
