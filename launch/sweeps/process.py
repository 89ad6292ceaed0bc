"""One job of a sweep on its place: in a process of its own, on cores of its own.

Ray's worker imports this alone, so it is light: no torch, no pipeline.
"""

import fcntl
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from medrl.errors import InfrastructureError
from medrl.printable import printable

LOG = "log.txt"
MOST_LETTERS = 400
"""Of a log's last line, as it is shown."""
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # colours, cursor movements
_USER_ERROR = 2  # exit code: the same again would end the same


def run_process(config: dict[str, Any]) -> None:
    """Tune's trainable: one job, in a process and session of its own, its output in its log.

    Raises InfrastructureError, for Tune to try again, unless it ended well or by what only the user can mend.
    """
    job = config["job"]
    log = Path(job["log"])
    log.parent.mkdir(parents=True, exist_ok=True)
    # The pipe is never written to: it closes when this process ends, however that comes, and the job ends with it.
    with (
        _slot(Path(job["slots"]), job["per_node"]) as cores,
        log.open("ab") as output,
        subprocess.Popen(
            [*job["command"], job["file"], ",".join(map(str, cores))],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=job["cwd"],
            env=_environment(),
            start_new_session=True,
        ) as process,
    ):
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
    """Of a log file: what it ended with. It may quote anything, so it is made printable, and cut at MOST_LETTERS."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    lines = (printable(" ".join(_ESCAPE.sub("", line).split())) for line in reversed(re.split(r"[\r\n]", text)))
    last = next(filter(None, lines), "it said nothing").removeprefix("medrl: ")
    return last if len(last) <= MOST_LETTERS else last[: MOST_LETTERS - 1] + "…"
