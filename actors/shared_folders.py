"""Whether every node of a cluster sees the folders that a run reads and writes."""

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.placement import cluster_nodes
from medrl.errors import ConfigError, Stalled


def missing(paths: Mapping[str, Path]) -> list[str]:
    """Names of those `paths` that this process does not see."""
    return [name for name, path in paths.items() if not path.exists()]


LOOK_WITHIN_S = 120.0

_missing_there = ray.remote(num_cpus=0)(missing)


def require_shared(read: Mapping[str, Path], written: Mapping[str, Path]) -> None:
    """Raises ConfigError, naming node, setting and folder, if a node lacks one; nothing where there is one node.

    In folders that are written to, a new file is looked for: nodes may have folders of that name of their own.
    """
    nodes = cluster_nodes()
    if len(nodes) == 1:
        return
    with ExitStack() as stack:
        marks = dict(read)
        for name, folder in written.items():
            file = stack.enter_context(tempfile.NamedTemporaryFile(dir=folder, prefix=".seen-"))
            marks[name] = folder / Path(file.name).name  # as it is given: a relative folder may lead elsewhere there
        looking = [
            _missing_there.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(
                marks
            )
            for node in nodes
        ]
        _, late = ray.wait(looking, num_returns=len(looking), timeout=LOOK_WITHIN_S)
        if late:
            node = nodes[looking.index(late[0])]
            raise Stalled(
                f"node {node.host} ({node.id[:8]}) did not look at {', '.join(map(str, marks.values()))} in "
                f"{LOOK_WITHIN_S:.0f} s: is a file system there hanging?"
            )
        found = ray.get(looking)
    for node, names in zip(nodes, found, strict=True):
        for name in names:
            folder = {**read, **written}[name]
            raise ConfigError(
                f"{name}={folder}: node {node.host} ({node.id[:8]}) does not see it; put it on a file system that all "
                "nodes mount at the same place"
            )
