"""What each actor needs of the cluster and where it goes, and a Ray session that has it.

On CPU the actors of one machine ask Ray for no CPUs of their own; the threads are set by hand, from the cores of the
node that an actor goes to. On GPU an engine takes `pool.tensor_parallel` GPUs and a learner rank one.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.seats import Node, kind, seats, threads
from actors.session import QUIET, connected, require_answer
from medrl.config import Config


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
    import torch  # here: actors that have no use for it start in a third of the time

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


@contextmanager
def session(config: Config) -> Iterator[None]:
    """A Ray session for this run (`actors.session`). Raises ConfigError if the run does not fit."""
    with connected():
        seats(config, cluster_nodes())
        yield
