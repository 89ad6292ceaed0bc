from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from actors.checkpoint import replace_folder
from actors.weights import WeightLoader, pretrained_weights, publish, read_tensors


def tensors(seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return {"a": torch.randn(3, 4).bfloat16(), "b.c": torch.randn(5)}


def test_what_is_published_is_what_is_read(tmp_path: Path) -> None:
    ref = publish(tensors(0), 4, tmp_path)
    found = dict(read_tensors(ref.path))
    assert ref.version == 4
    assert ref.num_bytes == ref.path.stat().st_size
    assert found.keys() == tensors(0).keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors(0).items())


def test_only_the_newest_version_is_kept(tmp_path: Path) -> None:
    for version in range(3):
        ref = publish(tensors(version), version, tmp_path)
    assert list(tmp_path.iterdir()) == [ref.path]
    assert torch.equal(dict(read_tensors(ref.path))["b.c"], tensors(2)["b.c"])


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "model-1.safetensors")
    save_file({"b": torch.zeros(2)}, tmp_path / "model-2.safetensors")
    assert set(dict(read_tensors(pretrained_weights(tmp_path, 0).path))) == {"a", "b"}


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(FileNotFoundError, match="safetensors"):
        pretrained_weights(tmp_path, 0)


def test_the_workers_methods_do_not_hide_those_of_vllm() -> None:
    worker = pytest.importorskip("vllm.v1.worker.gpu_worker").Worker
    own = {name for name in vars(WeightLoader) if not name.startswith("__")}
    assert own
    assert not own & set(dir(worker))


def fail_halfway(target: Path) -> None:
    with replace_folder(target) as partial:
        (partial / "two").write_text("2")
        raise OSError("disk full")


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with replace_folder(target) as partial:
        (partial / "one").write_text("1")
    with pytest.raises(OSError, match="disk"):
        fail_halfway(target)
    assert [file.name for file in target.iterdir()] == ["one"]
    with replace_folder(target) as partial:
        (partial / "three").write_text("3")
    assert [file.name for file in target.iterdir()] == ["three"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
