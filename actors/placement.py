"""What each actor needs of the cluster and where it goes, and a Ray session that has it.

On CPU the actors of one machine ask Ray for no CPUs of their own; the threads are set by hand, from the cores of the
node that an actor goes to. On GPU an engine takes `pool.tensor_parallel` GPUs and a learner rank one.
"""

import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import ray
import torch
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.seats import Node, kind, seats, threads
from medrl.config import Config
from medrl.errors import ConfigError

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Environment of every actor: nothing is fetched, nothing is reported, and only warnings are printed."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Resources and environment of one actor. `options` is what Ray's `.options(...)` takes."""

    name: str
    num_cpus: float
    num_gpus: float
    env: Mapping[str, str] = field(default_factory=dict)
    node: str = ""
    """Ray's id of the node to go to; "" if there is one node."""

    @property
    def options(self) -> dict[str, Any]:
        # Not soft: Ray then starts engines on other nodes although theirs is alive and has room.
        affinity = NodeAffinitySchedulingStrategy(self.node, soft=False) if self.node else "DEFAULT"
        return {
            "name": self.name,
            "scheduling_strategy": affinity,
            "num_cpus": self.num_cpus,
            "num_gpus": self.num_gpus,
            "runtime_env": {"env_vars": {**QUIET, **self.env}},
        }


def plan(config: Config, nodes: Sequence[Node], *, alone: bool = False) -> dict[str, Needs]:
    """Every actor of a run by its name, on its seat. `nodes`: the driver's first. `alone`: nothing is played while the
    learner works, as in fine-tuning. Raises ConfigError, with numbers and a way out, if it does not fit."""
    found = seats(config, nodes)
    single = len(nodes) == 1
    needs = {}
    for name, node in found.items():
        cpus, gpus, env = 0, 0, {"OMP_NUM_THREADS": "1"}
        if config.device == "cuda":
            cpus, gpus = 1, {"engine": config.pool.tensor_parallel, "learner": 1}.get(kind(name), 0)
            env = {} if gpus else env
        elif kind(name) in ("engine", "learner"):
            env = _cpu_environment(config, name, threads(config, found, name, alone=alone))
        needs[name] = Needs(name, cpus, gpus, env, "" if single else node.id)
    return needs


def _cpu_environment(config: Config, name: str, cores: int) -> dict[str, str]:
    if kind(name) == "learner":
        return {"OMP_NUM_THREADS": str(config.learner.threads or cores), "DS_ACCELERATOR": "cpu"}
    # Multiprocessing off: vLLM then lets one process schedule and compute, which engine_arguments asks for.
    return {"OMP_NUM_THREADS": str(cores), "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}


def placed(config: Config, *, alone: bool = False) -> dict[str, Needs]:
    """`plan` on the nodes of the running Ray cluster."""
    return plan(config, cluster_nodes(), alone=alone)


def cluster_nodes() -> list[Node]:
    """The nodes of the running Ray cluster that are alive, this process's first."""
    own = ray.get_runtime_context().get_node_id()
    nodes = [
        Node(each["NodeID"], each["NodeManagerHostname"], has.get("CPU", 0.0), has.get("GPU", 0.0))
        for each in ray.nodes()
        if each["Alive"]
        for has in [each["Resources"]]
    ]
    return sorted(nodes, key=lambda node: (node.id != own, node.host, node.id))


def this_machine() -> Node:
    """The machine of this process, as a cluster of one."""
    return Node("", "this machine", len(os.sched_getaffinity(0)), torch.cuda.device_count())


def described_nodes(config: Config) -> list[Node]:
    """The nodes that the recipe's `cluster` says there are; on CPU this machine."""
    if config.device == "cpu":
        return [this_machine()]
    has = config.cluster
    return [Node(str(n), f"node-{n}", has.cpus_per_node, has.gpus_per_node) for n in range(has.nodes)]


def require_here(config: Config) -> None:
    """Raises ConfigError, before Ray is started, if this machine alone is too small, or, where RAY_ADDRESS names a
    cluster, if nothing answers there."""
    address = os.environ.get("RAY_ADDRESS")
    if address is None:
        seats(config, [this_machine()])
    else:
        require_answer(address)


def require_answer(address: str, timeout_s: float = 10.0) -> None:
    """Raises ConfigError if nothing listens at `address`, "host:port"; others ("auto", "ray://…") are Ray's to read."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout_s).close()
    except OSError as error:
        raise ConfigError(
            f"RAY_ADDRESS={address}: nothing answers there ({error.strerror or error}); start the cluster, or unset it "
            "to run on this machine alone"
        ) from error


@contextmanager
def session(config: Config) -> Iterator[None]:
    """A Ray session for this run: the cluster named by RAY_ADDRESS, else one on this machine alone, stopped at the end.

    Raises ConfigError if the run does not fit.
    """
    os.environ.update(QUIET)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    options: dict[str, Any] = {"log_to_driver": bool(os.environ.get("MEDRL_ACTOR_LOGS")), "configure_logging": False}
    if "RAY_ADDRESS" not in os.environ:
        options |= {
            "address": "local",
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "object_store_memory": 256 * 2**20,
            "num_cpus": len(os.sched_getaffinity(0)),
        }
        os.environ |= {"VLLM_HOST_IP": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    # Actors unpickle functions of this project, so they must find it where this process does.
    options["runtime_env"] = {"env_vars": {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}}
    ray.init(**options)
    try:
        seats(config, cluster_nodes())
        yield
    finally:
        ray.shutdown()
