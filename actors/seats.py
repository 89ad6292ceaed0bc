"""Which node of a cluster each actor goes to: arithmetic over what a run needs and what the nodes have.

Learner ranks are packed on as few nodes as possible, the driver's first, since they exchange gradients in every step;
engines and rollout workers are spread; reward and curriculum stay near the driver. On CPU, where a rank or an engine
takes all cores that it gets, each goes to the node with fewest of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from medrl.config import Config
from medrl.errors import ConfigError

LIGHT = ("reward", "curriculum")


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster. `id` is Ray's; `cpus` and `gpus` are what it has, used or not."""

    id: str
    host: str
    cpus: float
    gpus: float


@dataclass(slots=True)
class _Room:
    """What is left of a node."""

    node: Node
    cpus: float
    gpus: float
    heavy: int = 0  # engines and learner ranks
    workers: int = 0


def engine_names(config: Config) -> list[str]:
    """Of the inference engines, in order."""
    return [f"engine-{index}" for index in range(config.pool.engines)]


def rank_names(config: Config) -> list[str]:
    """Of the learner's ranks, in order."""
    return [f"learner-{rank}" for rank in range(config.learner.ranks)]


def worker_names(config: Config) -> list[str]:
    """Of the rollout workers, in order."""
    return [f"rollout-{rank}" for rank in range(config.rollout.workers)]


def kind(name: str) -> str:
    """engine, learner, rollout, reward or curriculum."""
    return name.split("-")[0]


def gpus(config: Config) -> int:
    """GPUs of all actors together."""
    return config.pool.engines * config.pool.tensor_parallel + config.learner.ranks if config.device == "cuda" else 0


def cpus(config: Config) -> int:
    """CPUs that all actors together ask Ray for: one each on GPU machines, none where threads are set by hand."""
    actors = config.pool.engines + config.learner.ranks + config.rollout.workers + len(LIGHT)
    return actors if config.device == "cuda" else 0


def seats(config: Config, nodes: Sequence[Node]) -> dict[str, Node]:
    """Actor's name -> its node. `nodes`: the driver's first.

    Raises ConfigError, with numbers and what to change, if the cluster or each of its nodes is too small.
    """
    _require_in_all(config, nodes)
    try:
        return _seat(config, nodes, learner_first=True)
    except ConfigError as packed:
        try:  # nodes of different sizes: what takes several GPUs of one node goes first
            return _seat(config, nodes, learner_first=False)
        except ConfigError:
            raise packed from None


def _require_in_all(config: Config, nodes: Sequence[Node]) -> None:
    parallel = config.pool.tensor_parallel
    if config.device == "cpu" and parallel > 1:
        raise ConfigError("pool.tensor_parallel is for GPUs; on CPU set it to 1 and raise pool.engines")
    for resource, needed, there, advice in (
        ("GPU", gpus(config), sum(n.gpus for n in nodes), "pool.engines, pool.tensor_parallel or learner.ranks"),
        ("CPU", cpus(config), sum(n.cpus for n in nodes), "rollout.workers"),
    ):
        if needed > there:
            raise ConfigError(f"need {needed:g} {resource}s, the cluster has {there:g}. Lower {advice}, or add nodes.")
    if config.device == "cuda" and parallel > (largest := max(node.gpus for node in nodes)):
        raise ConfigError(
            f"pool.tensor_parallel={parallel}: an engine's GPUs are on one node, and none has more than {largest:g}. "
            "Lower it, or use larger nodes."
        )


def _seat(config: Config, nodes: Sequence[Node], *, learner_first: bool) -> dict[str, Node]:
    rooms = [_Room(node, node.cpus, node.gpus) for node in nodes]
    found: dict[str, Node] = {}
    cuda = config.device == "cuda"

    def take(name: str, gpus: int) -> _Room:
        fitting = [room for room in rooms if not cuda or (room.gpus >= gpus and room.cpus >= 1)]
        if not fitting:
            left = ", ".join(f"{room.node.host} {room.gpus:g} GPUs and {room.cpus:g} CPUs" for room in rooms)
            raise ConfigError(
                f"{name} needs {gpus} GPUs and 1 CPU of one node; left are {left}. "
                "Lower pool.engines, pool.tensor_parallel or learner.ranks, or add nodes."
            )
        if kind(name) == "engine" or (kind(name) == "learner" and not cuda):
            room = min(fitting, key=lambda room: room.heavy)
        elif kind(name) == "rollout":
            room = min(fitting, key=lambda room: room.workers)
        else:
            room = fitting[0]
        if cuda:
            room.gpus -= gpus
            room.cpus -= 1
        found[name] = room.node
        return room

    for learner in (learner_first, not learner_first):
        for name in rank_names(config) if learner else engine_names(config):
            take(name, 1 if learner else config.pool.tensor_parallel).heavy += 1
    for name in LIGHT:
        take(name, 0)
    for name in worker_names(config):
        take(name, 0).workers += 1
    return found


def threads(config: Config, found: dict[str, Node], name: str, *, alone: bool = False) -> int:
    """Threads of an engine or learner rank on CPU: its share of its node's cores.

    Engines and ranks on one node take turns at all cores in a synchronous run, and have half each otherwise: threads of
    both on the same cores wait for each other all the time, and the learner is several times slower (docs/log.md).
    `alone`: nothing is played while the learner works.
    """
    node = found[name]
    here = [other for other, seat in found.items() if seat == node]
    same = [other for other in here if kind(other) == kind(name)]
    shared = {kind(other) for other in here} >= {"engine", "learner"}
    cores = math.floor(node.cpus)
    if shared and config.grpo.schedule != "sync" and not alone:
        cores = cores // 2 if kind(name) == "engine" else cores - cores // 2
    index = same.index(name)
    return max(1, (index + 1) * cores // len(same) - index * cores // len(same))
