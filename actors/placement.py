"""What each actor needs of the cluster, and a Ray session that has it.

On CPU the actors of one machine ask Ray for no CPUs of their own; the threads are set by hand. In a synchronous run
pool and learner take turns at all cores. Otherwise they work at the same time and have half of the cores each: threads
of both on the same cores wait for each other all the time, and the learner is several times slower (docs/log.md). On
GPU an engine takes `pool.tensor_parallel` GPUs and a learner rank one. On a cluster engines and rollout workers are
spread over its nodes.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import ray
import torch

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
    spread: bool = False
    """Over the nodes of a cluster, rather than packed on few."""

    @property
    def options(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "scheduling_strategy": "SPREAD" if self.spread else "DEFAULT",
            "num_cpus": self.num_cpus,
            "num_gpus": self.num_gpus,
            "runtime_env": {"env_vars": {**QUIET, **self.env}},
        }


def engine_needs(config: Config, index: int, cores: list[int]) -> Needs:
    """Inference engine `index`; on CPU it computes on its share of `cores`, all of them where it is the only one."""
    name = f"engine-{index}"
    if config.device == "cuda":
        return Needs(name, num_cpus=1, num_gpus=config.pool.tensor_parallel, spread=True)
    threads = len(_share(_half(config, cores, 0), index, config.pool.engines))
    # Multiprocessing off: vLLM then lets one process schedule and compute, which engine_arguments asks for.
    return Needs(name, 0, 0, {"OMP_NUM_THREADS": str(threads), "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}, spread=True)


def learner_needs(config: Config, rank: int, cores: list[int], *, alone: bool = False) -> Needs:
    """Learner rank `rank`; `alone` while nothing is played, as in fine-tuning."""
    ranks = config.learner.ranks
    name = f"learner-{rank}"
    if config.device == "cuda":
        return Needs(name, num_cpus=1, num_gpus=1)
    threads = config.learner.threads or len(_share(cores if alone else _half(config, cores, 1), rank, ranks))
    return Needs(name, 0, 0, {"OMP_NUM_THREADS": str(threads), "DS_ACCELERATOR": "cpu"})


def light_needs(config: Config, name: str) -> Needs:
    """A rollout worker, the reward or the curriculum actor: mostly waiting, one thread."""
    return Needs(
        name, 1 if config.device == "cuda" else 0, 0, {"OMP_NUM_THREADS": "1"}, spread=name.startswith("rollout")
    )


def plan(config: Config) -> list[Needs]:
    """Every actor of a run."""
    cores = allowed_cores()
    return [
        *(engine_needs(config, index, cores) for index in range(config.pool.engines)),
        *(learner_needs(config, rank, cores) for rank in range(config.learner.ranks)),
        *(light_needs(config, f"rollout-{rank}") for rank in range(config.rollout.workers)),
        light_needs(config, "reward"),
        light_needs(config, "curriculum"),
    ]


def gpus(config: Config) -> int:
    """GPUs of all actors together."""
    return int(sum(needs.num_gpus for needs in plan(config)))


def require(config: Config, cluster_resources: Mapping[str, float]) -> None:
    """Raises ConfigError if the plan needs more CPUs or GPUs than `cluster_resources` (as from Ray) has."""
    if config.device == "cpu" and config.pool.tensor_parallel > 1:
        raise ConfigError("pool.tensor_parallel is for GPUs; on CPU set it to 1 and raise pool.engines")
    needs = plan(config)
    for resource, needed, advice in (
        ("GPU", sum(item.num_gpus for item in needs), "Lower pool.engines, pool.tensor_parallel or learner.ranks"),
        ("CPU", sum(item.num_cpus for item in needs), "Lower rollout.workers"),
    ):
        there = cluster_resources.get(resource, 0.0)
        if needed > there:
            raise ConfigError(f"need {needed:g} {resource}s, the cluster has {there:g}. {advice}, or add nodes.")


def require_here(config: Config) -> None:
    """`require` of this machine alone, before Ray is started; nothing where RAY_ADDRESS names a cluster."""
    if "RAY_ADDRESS" not in os.environ:
        require(config, {"CPU": len(allowed_cores()), "GPU": torch.cuda.device_count()})


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
            "num_cpus": len(allowed_cores()),
        }
        os.environ |= {"VLLM_HOST_IP": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    # Actors unpickle functions of this project, so they must find it where this process does.
    options["runtime_env"] = {"env_vars": {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}}
    ray.init(**options)
    try:
        require(config, ray.cluster_resources())
        yield
    finally:
        ray.shutdown()


def allowed_cores() -> list[int]:
    """Ids of the cores this process may run on."""
    return sorted(os.sched_getaffinity(0))


def _half(config: Config, cores: list[int], half: int) -> list[int]:
    """The cores of the pool (0) or the learner (1)."""
    return cores if config.grpo.schedule == "sync" else _share(cores, half, 2)


def _share(cores: list[int], index: int, parts: int) -> list[int]:
    """The `index`-th of `parts` shares of `cores`; never empty."""
    share = cores[index * len(cores) // parts : (index + 1) * len(cores) // parts]
    return share or [cores[index % len(cores)]]
