"""A job of a sweep in a process of its own: `python -m launch.sweeps.trial JOB.json CORES`.

Whatever it does, however it dies, the other trials do not notice. It ends when the process that started it does: that
one holds the other end of its stdin. CORES, numbers with commas between, are those that it may use.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from launch.sweeps.jobs import Job

FREE_AFTER_S = 60.0
"""How long what an earlier attempt left running may hold the run directory."""


def write_job(path: Path, job: "Job") -> None:
    """What `run_job` reads."""
    from medrl.records import write_json

    taken = {} if job.takes is None else {"takes": str(job.takes.path), "taken": list(job.takes.stages)}
    write_json(path, {"config": job.config.model_dump(mode="json"), "stages": list(job.stages)} | taken)


def run_job(path: Path) -> None:
    """Take over what there is to be taken over, then do what is left. Raises as a run does."""
    from launch import pipeline
    from launch.sweeps.takeover import take_over
    from medrl.config import parse

    job: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    config = parse(job["config"], str(path))
    _wait_until_free(config.run_path)
    if "takes" in job:
        take_over(Path(job["takes"]), job["taken"], config.run_path, config.reward)
    pipeline.run(config, job["stages"])


def _wait_until_free(folder: Path) -> None:
    from launch.rundir import hold
    from medrl.errors import ConfigError

    until = time.monotonic() + FREE_AFTER_S
    while True:
        try:
            hold(folder, "run_dir").close()
            return
        except ConfigError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _end_with_stdin() -> None:
    def watch() -> None:
        while os.read(0, 4096):  # not through sys.stdin, whose lock Python wants when it ends
            pass
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def main() -> int:
    """As the command line: one line on stderr and an exit code, 2 where another try would not help."""
    job, cores = sys.argv[1:]
    os.sched_setaffinity(0, [int(core) for core in cores.split(",")])  # before anything counts them
    _end_with_stdin()
    from launch.cli import exit_code_of, keep_to_loopback

    keep_to_loopback()
    return exit_code_of(lambda: run_job(Path(job)))


if __name__ == "__main__":
    sys.exit(main())
