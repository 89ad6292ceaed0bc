import mmap
import subprocess
import sys

import psutil
import pytest

from launch.progress import MemoryMeter, Progress

MEGABYTE = 10**6


def test_without_a_terminal_it_prints_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("eval", 3, "episode") as progress:
        progress.advance()
        progress.advance(2, loss=0.12345)
    shown = capsys.readouterr().err
    assert "\r" not in shown
    assert shown.splitlines()[0].startswith("eval: 0/3 episode [")
    assert shown.splitlines()[-1].startswith("eval: 3/3 episode [")
    assert "loss=0.1235" in shown.splitlines()[-1]


def test_the_total_follows_what_a_share_of_it_came_to(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("grpo", 100, "episode") as progress:
        progress.advance(30)
        progress.expect(0.25)
    assert capsys.readouterr().err.splitlines()[-1].startswith("grpo: 30/120 episode [")


def test_it_closes_on_an_error_and_lets_it_through(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        with Progress("sft", 3, "update") as progress:
            progress.advance()
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        interrupted()
    assert "sft: 1/3 update" in capsys.readouterr().err


def test_memory_counts_grandchildren_and_shared_pages_once() -> None:
    """A child holds 200 MB and forks: parent and grandchild share those pages, which must count once, not twice."""
    program = (
        "import os, sys\nheld = bytearray(os.urandom(200_000_000))\nchild = os.fork()\n"
        "print('ready', flush=True) if child else None\nsys.stdin.read()\n"
    )
    meter = MemoryMeter()
    before = meter.sample()
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        assert len(psutil.Process().children(recursive=True)) >= 2
        added = meter.sample() - before
    finally:
        child.communicate(timeout=20)
    assert 0.19 < added < 0.30
    assert meter.peak_gb >= before + added - 1e-9


def test_the_peak_stays_when_memory_is_given_back() -> None:
    with MemoryMeter(every_s=0.01) as meter:
        with mmap.mmap(-1, 150 * MEGABYTE) as held:  # an allocator may keep what it is given back
            held.write(b"x" * (150 * MEGABYTE))
            high = meter.sample()
        assert meter.sample() < high
    assert meter.peak_gb >= high
