"""A checkpoint is there whole or not at all, whenever the run is killed."""

import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from launch.checkpoints import Checkpoints, Standing
from medrl.buffer import BufferState, Finished, Ticket
from medrl.errors import DataError
from tests import fakes
from tests.medrl.episodes import group_of


def standing(step: int) -> Standing:
    question = fakes.question(id=f"q{step}")
    finished = Finished(Ticket(step, step, question), group_of(question, 0.0, 1.0), ("engine-0 died",))
    buffer = BufferState(step + 2, step, (Ticket(step + 1, step, question),), (finished,))
    return Standing(
        step, 8 * step, 1.5 * step, {"curriculum": {"counts": {"hops:2": [1.0, 2.0]}}, "random": [3, [1], None]}, buffer
    )


def write(checkpoints: Checkpoints, step: int) -> None:
    with checkpoints.writing(standing(step)) as folder:
        (folder / "learner").write_text(f"weights of {step}")


def test_the_last_one_comes_back_as_it_was_and_the_others_go(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.last is None
    for step in (9, 10):  # 10 is newer, though it sorts before 9 as text
        write(checkpoints, step)
    again = Checkpoints(tmp_path)
    assert again.last is not None and (again.last / "learner").read_text() == "weights of 10"
    assert again.read(again.last) == standing(10)
    assert len(list(tmp_path.iterdir())) == 1
    again.clear()
    assert again.last is None


class Killed(BaseException):
    """As if by SIGKILL: nothing that tidies up may run on it."""


def killed_at(moment: int, folder: Path) -> bool:
    """Write checkpoint 2 beside 1, killed at the `moment`-th thing it does to the disk; False if it does fewer."""
    checkpoints = Checkpoints(folder)
    write(checkpoints, 1)
    calls = itertools.count()

    def killing(function: Any) -> Any:
        def called(*arguments: Any, **named: Any) -> Any:
            if next(calls) == moment:
                if function is rmtree and (file := next(arguments[0].glob("*"), None)):
                    file.unlink()  # killed in the middle
                raise Killed
            return function(*arguments, **named)

        return called

    rmtree = shutil.rmtree
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((os, "replace"), (os, "fsync"), (shutil, "rmtree"), (Path, "mkdir"), (Path, "write_text")):
            patch.setattr(module, name, killing(getattr(module, name)))
        try:
            write(checkpoints, 2)
        except Killed:
            return True
    return False


@pytest.mark.contract("9 resume", "killed at each thing a checkpoint does to the disk: a whole one is left")
def test_a_kill_at_any_moment_leaves_a_whole_one(tmp_path: Path) -> None:
    moment = 0
    while killed_at(moment, folder := tmp_path / str(moment)):
        again = Checkpoints(folder)
        assert again.last is not None
        step = again.read(again.last).step
        assert step in (1, 2) and again.read(again.last) == standing(step)
        assert (again.last / "learner").read_text() == f"weights of {step}"
        write(again, 3)
        assert [path.name for path in folder.iterdir()] == ["step-0003"]
        moment += 1
    assert moment > 8


def test_one_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    write(checkpoints, 4)
    assert checkpoints.last is not None
    (checkpoints.last / "trainer.json").write_text("{")
    with pytest.raises(DataError, match="step-0004/trainer.json: not a checkpoint"):
        checkpoints.read(checkpoints.last)
