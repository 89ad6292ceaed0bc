"""Weights on their way from the learner to the inference engines: a safetensors file in shared memory.

    learner rank 0 --publish--> /dev/shm/medrl-<run>/v3.safetensors --collective_rpc--> every vLLM worker

The workers load them through vLLM's own reload, which repacks them for the kernels in use.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from medrl.records import writing_tensors

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class WeightsRef:
    """Weights of one policy version, on disk or in shared memory. `path`: a safetensors file, or a folder of them."""

    path: Path
    version: int
    num_bytes: int


def weights_folder(run: str, num_bytes: int) -> Path:
    """A new folder in shared memory, or where temporary files go if there is no room for two versions.

    Its name says whose it is; those of processes that were killed are removed.
    """
    for left in SHARED_MEMORY.glob("medrl-*-*-*"):
        owner = left.name.split("-")[-2]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)
    roomy = SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > 2 * num_bytes
    return Path(tempfile.mkdtemp(prefix=f"medrl-{run}-{os.getpid()}-", dir=SHARED_MEMORY if roomy else None))


def publish(tensors: Mapping[str, torch.Tensor], version: int, folder: Path) -> WeightsRef:
    """Write `tensors` as `version`, atomically, and remove the versions before it. Raises DataError without room."""
    path = folder / f"v{version}.safetensors"
    partial = path.with_suffix(".partial")
    with writing_tensors(folder):
        save_file(dict(tensors), partial)
    os.replace(partial, path)
    for old in folder.glob("v*.safetensors"):
        if old != path:
            old.unlink()
    return WeightsRef(path, version, path.stat().st_size)


def pretrained_weights(folder: Path, version: int) -> WeightsRef:
    """The weights of a Hugging Face folder. Raises FileNotFoundError if it holds no safetensors."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no .safetensors file")
    return WeightsRef(folder, version, sum(file.stat().st_size for file in files))


def read_tensors(path: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and tensor, one at a time, of a file or of all files in a folder."""
    for file in sorted(path.glob("*.safetensors")) if path.is_dir() else [path]:
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118  (not a dict: it has no iterator)
                yield name, tensors.get_tensor(name)


class WeightLoader:
    """Mixed into vLLM's worker class (`worker_extension_cls`); its methods are called by name over `collective_rpc`."""

    def load_published_weights(self: Any, path: str) -> None:
        """Replace the model's weights by those at `path`."""
        self.reload_weights(weights_iterator=read_tensors(Path(path)), is_checkpoint_format=True)
        tie_head_again(self.get_model())


def tie_head_again(model: Any) -> None:
    """Give a tied LM head the embeddings that were just reloaded.

    vLLM's reload replaces the modules that tensors came for. A tied head gets none, and would go on with the old
    embeddings: its own reference, and on CPU the copy of them that it packed for its kernel.
    """
    if getattr(model.config, "tie_word_embeddings", False):
        model.lm_head = model.lm_head.tie_weights(model.model.embed_tokens)
        model.lm_head.quant_method.process_weights_after_loading(model.lm_head)
