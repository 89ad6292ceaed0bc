"""Ray Tune: which job runs when and on what, and again when it died.

waits for                         unblocked by
a wave of jobs: the one before    its jobs having ended, well or not
a job: a place on the machine     Tune, which has as many places as jobs may run at once
the place: its process            its end; it ends with the place, and with everything above

Tune is asked to schedule, not to remember: which jobs are done is in their run directories, so an interrupted sweep
reads nothing of Tune's own state, which is pickled.
"""

import fcntl
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# Read when Tune is imported: no tables of its own, no TensorBoard, and Ctrl-C is the command's to answer.
os.environ |= {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "3600",
    "RAY_AIR_NEW_OUTPUT": "0",  # the newer one prints tables even if it is told not to
}

from ray import tune
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.progress_reporter import TrialProgressCallback

from launch.sweeps.jobs import Job
from launch.sweeps.standing import Standing
from launch.sweeps.trial import write_job
from medrl.errors import InfrastructureError

logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures are told by the standing, each once

TRIAL = (sys.executable, "-m", "launch.sweeps.trial")
LOG = "log.txt"
_USER_ERROR = 2  # exit code: the same again would end the same


@dataclass(frozen=True, slots=True)
class Places:
    """Where jobs run: how many at once, how many of them on one node, and what one takes of Ray's `cpus`, `gpus`."""

    at_once: int
    per_node: int
    cpus: float
    gpus: int


def run_waves(
    waves: Sequence[Sequence[Job]],
    folder: Path,
    places: Places,
    retries: int,
    standing: Standing,
    command: Sequence[str] = TRIAL,
) -> None:
    """Run all jobs that are not done, inside a running Ray session; `standing` is told. A job whose shared part failed
    fails with it. `command`, for a job's file and its cores, runs one."""
    for wave in waves:
        waiting = [job for job in wave if not job.done]
        for job in waiting:
            if job.takes is not None and job.takes.name in standing.failed:
                standing.stopped(job.name, f"{job.takes.name}: {standing.failed[job.takes.name]}", again=False)
        ready = [job for job in waiting if job.name not in standing.failed]
        if ready:
            _run(ready, folder, places, retries, standing, command)


def _run(
    jobs: Sequence[Job], folder: Path, places: Places, retries: int, standing: Standing, command: Sequence[str]
) -> None:
    state = (folder / "tune").resolve()
    shutil.rmtree(state, ignore_errors=True)
    space = [_described(job, folder, places, command) for job in jobs]
    tuner = tune.Tuner(
        tune.with_resources(run_process, {"CPU": places.cpus, "GPU": places.gpus}),
        param_space={"job": tune.grid_search(space)},
        tune_config=tune.TuneConfig(
            max_concurrent_trials=places.at_once,
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name="wave",
            storage_path=str(state),
            verbose=0,
            callbacks=[_Watch(standing, {job.name: job for job in jobs})],
            failure_config=tune.FailureConfig(max_failures=retries),
        ),
    )
    try:
        tuner.fit()
    finally:
        shutil.rmtree(state, ignore_errors=True)
    for job in jobs:
        if not job.done:
            standing.failed.setdefault(job.name, last_line(job.path / LOG))


def _described(job: Job, folder: Path, places: Places, command: Sequence[str]) -> dict[str, Any]:
    file = (folder / "jobs" / f"{job.name}.json").resolve()
    write_job(file, job)
    return {
        "name": job.name,
        "file": str(file),
        "log": str((job.path / LOG).resolve()),
        "slots": str((folder / ".slots").resolve()),
        "per_node": places.per_node,
        "command": list(command),
        "cwd": os.getcwd(),
    }


def _name(trial: TuneTrial) -> str:
    name: str = trial.config["job"]["name"]
    return name


def run_process(config: dict[str, Any]) -> None:
    """Tune's trainable: one job, in a process and session of its own, its output in its log.

    Raises InfrastructureError, for Tune to try again, unless it ended well or by what only the user can mend.
    """
    job = config["job"]
    log = Path(job["log"])
    log.parent.mkdir(parents=True, exist_ok=True)
    with _slot(Path(job["slots"]), job["per_node"]) as cores, log.open("ab") as output:
        process = subprocess.Popen(
            [*job["command"], job["file"], ",".join(map(str, cores))],
            stdin=subprocess.PIPE,  # never written to: it closes when this process ends, however that comes
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=job["cwd"],
            env=_environment(),
            start_new_session=True,
        )
        code = process.wait()
    if code not in (0, _USER_ERROR):
        raise InfrastructureError(f"exit code {code}: {last_line(log)}")


def _environment() -> dict[str, str]:
    """This process's, less what Ray put there for its own workers: the job starts a session of its own."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "TUNE_"))}
    ours.pop("OMP_NUM_THREADS", None)
    return ours | {"PYTHONUNBUFFERED": "1"}


@contextmanager
def _slot(folder: Path, number: int) -> Iterator[list[int]]:
    """The cores of one of `number` places on this node, held while in the block; Tune lets no more in."""
    folder.mkdir(parents=True, exist_ok=True)
    cores = sorted(os.sched_getaffinity(0))
    index, lock = _free_place(folder, number)
    with lock:
        share = cores[index * len(cores) // number : (index + 1) * len(cores) // number]
        yield share or [cores[index % len(cores)]]


def _free_place(folder: Path, number: int) -> tuple[int, IO[str]]:
    """A place's number and the lock on it; waits for an attempt that was killed just now."""
    while True:
        for index in range(number):
            lock = (folder / f"{socket.gethostname()}-{index}").open("a")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
            else:
                return index, lock
        time.sleep(0.1)


def last_line(log: Path) -> str:
    """Of a log file: what it ended with."""
    lines = re.split(r"[\r\n]", log.read_text(encoding="utf-8", errors="replace")) if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing").removeprefix("medrl: ")


class _Watch(TrialProgressCallback):
    """Tells the standing what Tune sees, in place of what Tune would print."""

    def __init__(self, standing: Standing, jobs: dict[str, Job]) -> None:
        super().__init__()
        self._standing = standing
        self._jobs = jobs

    def on_trial_start(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        self._standing.started(_name(trial))

    def on_trial_complete(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        name = _name(trial)
        if self._jobs[name].done:
            self._standing.finished(name)
        else:
            self._standing.stopped(name, last_line(self._jobs[name].path / LOG), again=False)

    def on_trial_recover(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        self._stopped(trial, again=True)

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        self._stopped(trial, again=False)

    def on_trial_result(self, *arguments: Any, **info: Any) -> None:
        """Nothing: a job's progress is in its log."""

    def _stopped(self, trial: TuneTrial, *, again: bool) -> None:
        name = _name(trial)
        self._standing.stopped(name, last_line(self._jobs[name].path / LOG), again=again)
