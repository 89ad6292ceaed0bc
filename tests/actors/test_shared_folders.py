"""Two raylets share this machine's disk, so what one does not see is a folder of the driver's own process."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from actors import placement
from actors.shared_folders import missing, require_shared
from medrl.config import parse
from medrl.errors import ConfigError


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert missing({"run_dir": tmp_path, "model.path": tmp_path / "none"}) == ["model.path"]


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    node = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 128 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster.add_node(**node)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.contract("14 several nodes", "a folder that a node does not see is named before anything starts")
def test_a_folder_that_a_node_lacks_is_named_with_the_node(two_nodes: None, tmp_path: Path) -> None:
    own = Path(f"/proc/self/task/{threading.get_native_id()}")
    with placement.session(parse({"name": "t"}, "test")):
        assert len(placement.cluster_nodes()) == 2
        require_shared({"model.path": tmp_path}, {"run_dir": tmp_path})
        assert os.listdir(tmp_path) == []
        with pytest.raises(ConfigError, match=rf"model.path={own}: node \S+ \(\w{{8}}\) does not see it"):
            require_shared({"model.path": own}, {"run_dir": tmp_path})
