"""How far a sweep is: one line a change, on stderr."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from launch.durations import duration
from launch.sweeps.jobs import Job


@dataclass(slots=True)
class Standing:
    """What is running, done, failed of a sweep's jobs, by name. `failed`: why."""

    sweep: str
    trials: Sequence[Job]
    parts: Sequence[Job]
    at_once: int
    say: Callable[[str], object] = field(default=lambda line: print(line, file=sys.stderr, flush=True))
    clock: Callable[[], float] = time.monotonic
    failed: dict[str, str] = field(default_factory=dict)
    _running: dict[str, float] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _took_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._done = {job.name for job in (*self.trials, *self.parts) if job.done}

    def started(self, name: str) -> None:
        self._running[name] = self.clock()
        self._tell(f"{name} started")

    def finished(self, name: str) -> None:
        self._took_s.append(self.clock() - self._running.pop(name))
        self._done.add(name)
        self._tell(f"{name} done in {duration(self._took_s[-1])}")

    def stopped(self, name: str, why: str, *, again: bool) -> None:
        """It died; `again`: and is started again."""
        self._running.pop(name, None)
        if not again:
            self.failed[name] = why
        self._tell(f"{name} {'died and is started again' if again else 'failed'}: {why}")

    @property
    def left_s(self) -> float | None:
        """Seconds until the end, as fast as until now; None before a job is done. What runs counts half."""
        if not self._took_s:
            return None
        jobs = [*self.trials, *self.parts]
        waiting = sum(job.name not in self._done and job.name not in self.failed for job in jobs)
        return fmean(self._took_s) * (waiting - len(self._running) / 2) / self.at_once

    def _tell(self, what: str) -> None:
        done = sum(trial.name in self._done for trial in self.trials)
        failed = sum(trial.name in self.failed for trial in self.trials)
        running = sum(trial.name in self._running for trial in self.trials)
        parts = sum(part.name in self._done for part in self.parts)
        shared = f", {parts} of {len(self.parts)} shared parts done" if self.parts else ""
        left = "" if (left_s := self.left_s) is None else f"; about {duration(left_s)} left"
        self.say(
            f"sweep {self.sweep}: {what} | {done} of {len(self.trials)} trials done, {running} running, "
            f"{failed} failed{shared}{left}"
        )
