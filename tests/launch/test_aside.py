import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from launch.aside import aside
from medrl.errors import DataError, InfrastructureError


def add(a: int, b: int) -> tuple[int, int]:
    return os.getpid(), a + b


def fail() -> None:
    raise DataError("only 3 of 50 questions")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_it_works_in_another_process() -> None:
    pid, total = aside(add, 2, b=3)
    assert total == 5 and pid != os.getpid()


def test_what_it_raises_is_raised_here() -> None:
    with pytest.raises(DataError, match="^only 3 of 50 questions$"):
        aside(fail)


def test_its_death_is_an_outage() -> None:
    with pytest.raises(InfrastructureError, match="the process of die died"):
        aside(die)


def keep_writing(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(120)


def test_it_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    program = (
        "from launch.aside import aside; from tests.launch.test_aside import keep_writing; "
        f"aside(keep_writing, {str(path)!r})"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    while not path.exists() or not path.read_text():
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    child = int(path.read_text())
    deadline = time.monotonic() + 20
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def sleep(started: str) -> None:
    Path(started).write_text(str(os.getpid()))
    time.sleep(120)


def test_an_interruption_does_not_wait_for_its_end(tmp_path: Path) -> None:
    """Ctrl-C reaches a shell's whole group of processes, `kill -INT` only the one that waits."""
    started = tmp_path / "started"

    def interrupt() -> None:
        while not started.exists() or not started.read_text():
            time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        aside(sleep, str(started))
    assert not psutil.pid_exists(int(started.read_text()))
