import mmap
import subprocess
import sys

import psutil

from launch.memory import MemoryMeter

MEGABYTE = 10**6


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
