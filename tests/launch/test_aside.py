import os
import signal

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
