"""Ray Tune: which job runs when and on what, and again when it died.

waits for                         unblocked by
a wave of jobs: the one before    its jobs having ended, well or not
a job: a place on the machine     Tune, which has as many places as jobs may run at once
the place: its process            its end; it ends with the place, and with everything above

Tune is asked to schedule, not to remember: which jobs are done is in their run directories, so an interrupted sweep
reads nothing of Tune's own state, which is pickled.
"""

import logging
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from launch.sweeps.process import LOG, last_line, run_process
from launch.sweeps.standing import Standing
from launch.sweeps.trial import write_job

logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures are told by the standing, each once

TRIAL = (sys.executable, "-m", "launch.sweeps.trial")


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
