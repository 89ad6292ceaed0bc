"""`replace_folder` under a failure of the caller, and under SIGKILL at every step it takes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actors.checkpoint import recover, replace_folder

REPLACE = """
import os, signal, sys
from pathlib import Path
from actors import checkpoint

folder, at, exchange = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "swap"
if not exchange:
    checkpoint._exchange = lambda a, b: False
steps = 0

def hook(event, args):
    global steps
    if event in ("os.mkdir", "os.rename", "os.rmdir", "os.remove", "shutil.rmtree", "open"):
        steps += 1
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
with checkpoint.replace_folder(folder) as partial:
    for name in "ab":
        (partial / name).write_text("new")
"""


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


def test_the_old_folder_comes_back_if_nothing_can_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "model"
    with replace_folder(target) as partial:
        (partial / "one").write_text("1")
    rename = os.replace

    def replace(source: Path, to: Path) -> None:
        if to == target and source.name.endswith(".partial"):
            raise OSError("the disk is gone")
        rename(source, to)

    monkeypatch.setattr("actors.checkpoint._exchange", lambda a, b: False)
    monkeypatch.setattr("actors.checkpoint.os.replace", replace)
    with pytest.raises(OSError, match="gone"), replace_folder(target) as partial:
        (partial / "two").write_text("2")
    assert [file.name for file in target.iterdir()] == ["one"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("way", ["swap", "two renames"])
def test_a_kill_at_any_step_leaves_the_old_or_the_new_one(tmp_path: Path, way: str) -> None:
    """`swap` needs no mending; the other way has one step after which only `recover` gives the old folder back."""
    found, missing, at = [], 0, 0
    while not found or found[-1] != "ended":
        at += 1
        parent = tmp_path / str(at)
        target = parent / "model"
        target.mkdir(parents=True)
        for name in "ab":
            (target / name).write_text("old")
        code = subprocess.run([sys.executable, "-c", REPLACE, str(target), str(at), way], check=False).returncode
        assert code in (0, -signal.SIGKILL)
        missing += not target.exists()
        recover(target)
        contents = {file.name: file.read_text() for file in target.iterdir()}
        assert contents in ({"a": "old", "b": "old"}, {"a": "new", "b": "new"})
        assert [entry.name for entry in parent.iterdir()] == ["model"]
        found.append("ended" if code == 0 else contents["a"])
    assert found[0] == "old"
    assert found[-2] == "new"  # killed while what was replaced is removed
    assert found == sorted(found, key=["old", "new", "ended"].index)
    assert missing == (way == "two renames")
