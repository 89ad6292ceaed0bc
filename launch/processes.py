"""Memory and work of processes on this machine, each with its descendants."""

from collections import defaultdict
from contextlib import suppress
from typing import TypedDict

import psutil


class Use(TypedDict):
    """`rss_gb`: resident memory, 1e9 bytes; what processes share counts in each. `cpu`: cores, since the last time it
    was asked for. None where the process has ended, and of `cpu` the first time."""

    rss_gb: float | None
    cpu: float | None


class Processes:
    """A table of all processes, read once for all that is then asked."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}
        self._children: dict[int, list[int]] = {}
        self._asked: set[int] = set()

    def read(self) -> None:
        """Read the table."""
        self._known = {process.pid: process for process in psutil.process_iter()}  # the same objects as last time
        children: defaultdict[int, list[int]] = defaultdict(list)
        for pid, process in self._known.items():
            with suppress(psutil.NoSuchProcess):
                children[process.ppid()].append(pid)
        self._children = dict(children)
        self._asked &= self._known.keys()

    def use(self, pid: int, *, alone: bool = False) -> Use:
        """Of `pid` and, unless `alone`, its descendants, among the processes that were there at `read`."""
        if pid not in self._known:
            return Use(rss_gb=None, cpu=None)
        rss, percent = 0, 0.0
        for each in [pid] if alone else self._family(pid):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                rss += self._known[each].memory_info().rss
                percent += self._known[each].cpu_percent()
        before = pid in self._asked
        self._asked.add(pid)
        return Use(rss_gb=round(rss / 1e9, 3), cpu=round(percent / 100, 2) if before else None)

    def _family(self, pid: int) -> list[int]:
        return [pid, *(each for child in self._children.get(pid, ()) for each in self._family(child))]
