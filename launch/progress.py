"""What a person sees while waiting, and what the run cost in memory."""

import itertools
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil
from tqdm import tqdm

LINE_EVERY_S = 10.0
_STEP = 1.01
_AT_LEAST_EVERY = 20
_FORMAT = "{desc}: {n_fmt}/{total_fmt}{unit} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


class Progress:
    """A counter with an estimate of the time left, on stderr.

    A bar that redraws itself on a terminal; elsewhere (a log file, a CI page) one line every ten seconds.
    """

    def __init__(self, name: str, total: int, unit: str, done: int = 0) -> None:
        """`total` in `unit`, a noun in the singular; `done` of it before now, which do not count for the rate."""
        terminal = sys.stderr.isatty()
        self._bar = tqdm(
            desc=name,
            total=total,
            initial=done,
            unit=f" {unit}",
            file=sys.stderr if terminal else _Lines(),
            mininterval=0.2 if terminal else LINE_EVERY_S,
            bar_format=None if terminal else _FORMAT,
            dynamic_ncols=terminal,
        )

    def advance(self, count: int = 1, **shown: float) -> None:
        """`count` more are done; `shown` are figures to show beside, such as the loss."""
        if shown:
            self._bar.set_postfix({key: f"{value:.4g}" for key, value in shown.items()}, refresh=False)
        self._bar.update(count)

    def expect(self, share: float) -> None:
        """What is done by now is `share` of the whole: set the total by it."""
        self._bar.total = round(self._bar.n / share)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()


class _Lines:
    """Where tqdm would redraw a line, write a new one."""

    def write(self, text: str) -> None:
        line = text.strip("\r\n ")
        if line:
            sys.stderr.write(line + "\n")

    def flush(self) -> None:
        sys.stderr.flush()


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
