"""Weights on their way from the learner to the inference engines: safetensors files in shared memory.

    learner rank 0 --publish--> /dev/shm/medrl-<run>/v3/*.safetensors --collective_rpc--> every vLLM worker of the node
                                        |
                                        +-- as Ray objects, to the shared memory of other nodes

                (or by broadcast: actors/broadcast.py; the files are then for engines that start again)

A version is a folder of buckets, there whole or not at all; its reference carries their checksums, which an engine
looks at before it pauses. The workers load through vLLM's own reload, which repacks them for the kernels in use.
"""

import asyncio
import ctypes
import itertools
import os
import select
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
import xxhash
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from safetensors import safe_open
from safetensors.torch import save_file

from medrl.errors import InfrastructureError
from medrl.records import writing_tensors

SHARED_MEMORY = Path("/dev/shm")
PR_SET_PDEATHSIG = 1
"""prctl(2): the signal this process gets when its parent dies."""
REMOVE_WITHIN_S = 30.0
BUCKET_BYTES = 256 * 2**20
"""Tensors that are gathered and written together."""


@dataclass(frozen=True, slots=True)
class WeightsRef:
    """Weights of one policy version. `path`: a folder of safetensors files.

    `files`: name and xxh3 checksum of each; empty for a checkpoint on disk. `node`: the Ray node whose memory holds
    them; "" where every node sees the same disk.
    """

    path: Path
    version: int
    num_bytes: int
    files: tuple[tuple[str, str], ...] = ()
    node: str = ""

    @property
    def paths(self) -> list[Path]:
        """Its files."""
        return [self.path / name for name, _ in self.files] or sorted(self.path.glob("*.safetensors"))


def weights_folder(run: str, num_bytes: int) -> Path:
    """A new folder in shared memory, or where temporary files go if there is no room for two versions.

    Its name says whose it is; those of processes that were killed are removed.
    """
    for left in itertools.chain.from_iterable(
        place.glob("medrl-*-*-*") for place in {SHARED_MEMORY, Path(tempfile.gettempdir())}
    ):
        owner = left.name.split("-")[-2]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)
    roomy = SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > 2 * num_bytes
    return Path(tempfile.mkdtemp(prefix=f"medrl-{run}-{os.getpid()}-", dir=SHARED_MEMORY if roomy else None))


def remove_folder(folder: Path, node: str) -> None:
    """Remove a folder of `weights_folder` on the Ray node where it is. One that cannot be reached has none any more."""
    if node == ray.get_runtime_context().get_node_id():
        shutil.rmtree(folder, ignore_errors=True)
        return
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    with suppress(RayError):
        ray.get(_remove_there.options(scheduling_strategy=there).remote(folder), timeout=REMOVE_WITHIN_S)


@ray.remote(num_cpus=0)
def _remove_there(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def publish(
    tensors: Iterable[tuple[str, torch.Tensor]],
    version: int,
    folder: Path,
    *,
    node: str = "",
    bucket_bytes: int = BUCKET_BYTES,
) -> WeightsRef:
    """Write `tensors` as `version`, bucket by bucket, then remove the versions before it.

    At most one bucket is held beside what is written. Raises DataError without room.
    """
    path = folder / f"v{version}"
    partial = folder / f".v{version}.partial"
    for left in (partial, path):
        shutil.rmtree(left, ignore_errors=True)
    partial.mkdir(parents=True)
    files: list[tuple[str, str]] = []
    num_bytes = 0
    with writing_tensors(folder):
        for number, bucket in enumerate(_buckets(tensors, bucket_bytes)):
            file = partial / f"{number:05d}.safetensors"
            save_file(bucket, file)
            files.append((file.name, _checksum(file)))
            num_bytes += file.stat().st_size
    os.replace(partial, path)
    for old in folder.glob("v*"):
        if old != path:
            shutil.rmtree(old)
    return WeightsRef(path, version, num_bytes, tuple(files), node)


def _buckets(tensors: Iterable[tuple[str, torch.Tensor]], most: int) -> Iterator[dict[str, torch.Tensor]]:
    bucket: dict[str, torch.Tensor] = {}
    size = 0
    for name, tensor in tensors:
        if bucket and size + tensor.nbytes > most:
            yield bucket
            bucket, size = {}, 0
        bucket[name] = tensor
        size += tensor.nbytes
    if bucket:
        yield bucket


def verify(ref: WeightsRef) -> None:
    """Raises InfrastructureError, naming the file, if a byte differs from what was published."""
    for name, checksum in ref.files:
        try:
            found = _checksum(ref.path / name)
        except OSError as error:
            raise InfrastructureError(f"weights of version {ref.version}: {name}: {error.strerror}") from error
        if found != checksum:
            raise InfrastructureError(
                f"weights of version {ref.version}: {name} has checksum {found}, published was {checksum}"
            )


def _checksum(file: Path) -> str:
    if not (size := file.stat().st_size):
        return ""
    return xxhash.xxh3_64_hexdigest(np.memmap(file, dtype=np.uint8, mode="r", shape=(size,)))


@ray.remote(num_cpus=0)
def _read_file(path: Path) -> Any:
    return np.fromfile(path, dtype=np.uint8)


def as_objects(ref: WeightsRef) -> list[Any]:
    """The files of `ref` as Ray objects, read on the node that has them; Ray hands them from node to node."""
    there = NodeAffinitySchedulingStrategy(ref.node, soft=False)
    return [_read_file.options(scheduling_strategy=there).remote(ref.path / name) for name, _ in ref.files]


async def receive(ref: WeightsRef, objects: list[Any], folder: Path) -> WeightsRef:
    """Write the objects to `folder`, in this node's memory; the reference to what is there now."""
    for (name, _), reference in zip(ref.files, objects, strict=True):
        data = await reference
        await asyncio.to_thread(data.tofile, folder / name)
    return replace(ref, path=folder, node="")


def pretrained_weights(folder: Path, version: int) -> WeightsRef:
    """The weights of a Hugging Face folder. Raises FileNotFoundError if it holds no safetensors."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no .safetensors file")
    return WeightsRef(folder, version, sum(file.stat().st_size for file in files))


def read_tensors(files: Iterable[Path]) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and tensor, one at a time, of safetensors files."""
    for file in files:
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118  (not a dict: it has no iterator)
                yield name, tensors.get_tensor(name)


class WeightLoader:
    """Mixed into vLLM's worker class (`worker_extension_cls`); its methods are called by name over `collective_rpc`."""

    def end_with_actor(self: Any, actor: int) -> None:
        """Let this process be killed when its actor, of that process id, dies, so that no engine outlives it (Linux).

        With tensor parallelism vLLM has a process between the two, which then is killed first.
        """
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if (between := os.getppid()) != actor:
            threading.Thread(target=_kill_after, args=(actor, between), daemon=True).start()

    def load_published_weights(self: Any, files: list[str]) -> None:
        """Replace the model's weights by those in `files`. Fails if one is gone: half of a version is none."""
        self.reload_weights(weights_iterator=read_tensors(map(Path, files)), is_checkpoint_format=True)
        self.tie_head_again()

    def tie_head_again(self: Any) -> None:
        """Give a tied LM head the embeddings that were just reloaded.

        vLLM's reload replaces the modules that tensors came for. A tied head gets none, and would go on with the old
        embeddings: its own reference, and on CPU the copy of them that it packed for its kernel.
        """
        model = self.get_model()
        if getattr(model.config, "tie_word_embeddings", False):
            model.lm_head = model.lm_head.tie_weights(model.model.embed_tokens)
            model.lm_head.quant_method.process_weights_after_loading(model.lm_head)


def _kill_after(process: int, other: int) -> None:
    with suppress(ProcessLookupError):  # it has ended
        select.select([os.pidfd_open(process)], [], [])
    os.kill(other, signal.SIGKILL)
