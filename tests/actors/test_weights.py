import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from actors.weights import WeightLoader, pretrained_weights, publish, read_tensors, verify, weights_folder
from medrl.errors import DataError, InfrastructureError
from medrl.records import writing_tensors


def tensors(seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return {"a": torch.randn(3, 4).bfloat16(), "b.c": torch.randn(5)}


def test_what_is_published_is_what_is_read(tmp_path: Path) -> None:
    ref = publish(tensors(0).items(), 4, tmp_path)
    found = dict(read_tensors(ref.paths))
    assert ref.version == 4
    assert ref.num_bytes == sum(file.stat().st_size for file in ref.path.iterdir())
    assert found.keys() == tensors(0).keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors(0).items())


@pytest.mark.contract("10 weights", "published in buckets, nothing lost")
def test_buckets_hold_no_more_than_they_may_and_lose_nothing(tmp_path: Path) -> None:
    given = {f"t{number}": torch.full((number + 1,), float(number)) for number in range(9)}
    ref = publish(given.items(), 1, tmp_path, bucket_bytes=40)
    sizes = [sum(tensor.nbytes for tensor in load_file(ref.path / name).values()) for name, _ in ref.files]
    assert len(sizes) > 3 and max(sizes) <= 40
    found = dict(read_tensors(ref.paths))
    assert found.keys() == given.keys() and all(torch.equal(found[name], given[name]) for name in given)


@pytest.mark.contract("10 weights", "a changed or missing file is found before generation is paused")
def test_one_changed_byte_is_found(tmp_path: Path) -> None:
    ref = publish(tensors(0).items(), 5, tmp_path)
    verify(ref)
    file = ref.path / ref.files[0][0]
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(InfrastructureError, match=f"version 5: {file.name} has checksum"):
        verify(ref)
    file.unlink()
    with pytest.raises(InfrastructureError, match=f"version 5: {file.name}: No such file"):
        verify(ref)


def test_only_the_newest_version_is_kept(tmp_path: Path) -> None:
    for version in range(3):
        ref = publish(tensors(version).items(), version, tmp_path)
    assert list(tmp_path.iterdir()) == [ref.path]
    assert torch.equal(dict(read_tensors(ref.paths))["b.c"], tensors(2)["b.c"])


def test_what_killed_processes_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.weights.SHARED_MEMORY", tmp_path)
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = [tmp_path / f"medrl-my-run-{pid}-x1y2" for pid in (gone.pid, os.getpid())] + [tmp_path / "medrl-else"]
    for folder in left:
        folder.mkdir()
    fresh = weights_folder("my-run", 0)
    assert set(tmp_path.iterdir()) == {fresh, *left[1:]}


def test_no_room_for_weights_is_said_in_one_line(tmp_path: Path) -> None:
    said = f"{tmp_path}: the weights could not be written .*: make room there"
    with pytest.raises(DataError, match=said), writing_tensors(tmp_path):
        save_file(tensors(0), tmp_path / "no" / "such" / "place")


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "model-1.safetensors")
    save_file({"b": torch.zeros(2)}, tmp_path / "model-2.safetensors")
    assert set(dict(read_tensors(pretrained_weights(tmp_path, 0).paths))) == {"a", "b"}


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(FileNotFoundError, match="safetensors"):
        pretrained_weights(tmp_path, 0)


@pytest.mark.parametrize("between", [False, True], ids=["one process", "tensor parallel"])
def test_an_engines_processes_end_with_their_actor(between: bool, tmp_path: Path) -> None:
    """An actor, the engine's own process, and perhaps a worker below that; the actor is killed."""
    worker = "import sys, time; from actors.weights import WeightLoader as W; W.end_with_actor(None, {actor}); "
    worker += f"open({str(tmp_path / 'ready')!r}, 'w'); time.sleep(60)"
    script = f"""
import os, subprocess, sys, time
def run(code): return subprocess.Popen([sys.executable, "-c", code])
worker = {worker!r}.format(actor=os.getpid())
core = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {{worker!r}}]); time.sleep(60)"
run(core if {between} else worker)
time.sleep(60)
"""
    actor = psutil.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    children = actor.children(recursive=True)
    assert len(children) == 1 + between
    actor.kill()
    actor.wait()
    _, left = psutil.wait_procs(children, timeout=30)
    assert not left


def test_the_workers_methods_do_not_hide_those_of_vllm() -> None:
    worker = pytest.importorskip("vllm.v1.worker.gpu_worker").Worker
    own = {name for name in vars(WeightLoader) if not name.startswith("__")}
    assert own
    assert not own & set(dir(worker))
