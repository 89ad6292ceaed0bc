"""What a run cost in memory."""

import itertools
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil

_STEP = 1.01
_AT_LEAST_EVERY = 20


class MemoryMeter:
    """Peak memory of this process and all its descendants, Ray's, vLLM's and DeepSpeed's among them, in GB (1e9 bytes).

    Counted is the proportional set size (PSS): a page shared by n processes counts 1/n in each, so weights handed
    over in shared memory count once. Page cache does not count. Where the system keeps no PSS (macOS), the unique set
    size (USS) is taken instead, which leaves shared pages out. Sampled, so a peak shorter than `every_s` may be missed.

    To add up PSS the kernel walks every page, half a core's work for a run of this size. So it is asked for when the
    resident set size, which is at hand, has grown by `_STEP` since the last time, and every `_AT_LEAST_EVERY` samples.
    """

    def __init__(self, every_s: float = 2.0) -> None:
        self.peak_gb = 0.0
        self._resident = 0
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-meter", daemon=True)

    def sample(self) -> float:
        """Memory in use now, GB; raises the peak if it is above."""
        used = _total(_proportional) / 1e9
        self.peak_gb = max(self.peak_gb, used)
        return used

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        for number in itertools.count():
            resident = _total(lambda process: process.memory_info().rss)
            if resident > _STEP * self._resident or number % _AT_LEAST_EVERY == 0:
                self._resident = resident
                self.sample()
            if self._stop.wait(self._every_s):
                return


def _total(read: Callable[[psutil.Process], int]) -> int:
    """Bytes that `read` gives, over this process and its descendants; one that has ended meanwhile holds nothing."""
    root, total = psutil.Process(), 0
    for process in (root, *root.children(recursive=True)):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            total += read(process)
    return total


def _proportional(process: psutil.Process) -> int:
    info = process.memory_full_info()
    return int(info.pss if hasattr(info, "pss") else info.uss)
