"""A run directory: what was asked, which stages are done, and what they left. Interrupted work resumes by stage."""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from launch.checkpoints import Checkpoints
from medrl.config import Config, load
from medrl.errors import ConfigError, DataError
from medrl.records import write_json, write_text
from medrl.sections.endpoint import ASKING

_ATTEMPTS = 5


class RunDirectory:
    """runs/<name>/: config.yaml, stages.json, data/, checkpoints/, trajectories/, metrics.jsonl, summary.json."""

    def __init__(self, config: Config) -> None:
        """Open or create it, and hold it until `close` or the end of this process, however that comes.

        Raises ConfigError if it holds a run of another configuration, or another command is at work in it.
        """
        self.path = config.run_path
        self._locks = ExitStack()
        self._locks.enter_context(hold(self.path, "run_dir"))
        if config.out:
            try:
                self._locks.enter_context(hold(config.data_path, "out"))
                _own(config.data_path, self.path)
            except ConfigError:
                self.close()
                raise
        held = self.path / "config.yaml"
        if config.resume == "never" and held.exists():
            self.close()
            raise ConfigError(
                f"{self.path} holds a run already: resume=auto goes on with it, run_dir=another/folder leaves it alone"
            )
        if held.exists() and (changed := difference(load(held), config)) is not None:
            self.close()
            raise ConfigError(
                f"{self.path} holds a run with other settings ({changed}); "
                "give run_dir=another/folder, or delete that one to start again"
            )
        write_text(held, config.to_yaml())
        self._stages_file = self.path / "stages.json"
        self.stages: dict[str, dict[str, Any]] = {}
        if self._stages_file.exists():
            try:
                self.stages = json.loads(self._stages_file.read_text(encoding="utf-8"))
            except ValueError as error:
                self.close()
                raise DataError(
                    f"{self._stages_file}: not JSON ({error}); delete {self.path} and start again, or give "
                    "another run_dir"
                ) from error

    def close(self) -> None:
        """Let other commands in."""
        self._locks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def checkpoints(self, stage: str) -> Checkpoints:
        """Where `stage` keeps what it goes on from while it is not done."""
        return Checkpoints(self.path / "checkpoints" / "state" / stage)

    def done(self, stage: str) -> bool:
        """Whether `stage` was finished, now or in an earlier run."""
        return stage in self.stages

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a stage; what its body puts into the yielded dict is kept with it. Marked done only if it ends well.

        `before_s` in it: seconds that earlier commands spent on what this one went on from.
        """
        kept: dict[str, Any] = {}
        begun = time.monotonic()
        yield kept
        seconds = time.monotonic() - begun + kept.pop("before_s", 0.0)
        self.stages[name] = {"wall_s": round(seconds, 1), **kept}
        write_json(self._stages_file, self.stages)

    @property
    def wall_s(self) -> dict[str, float]:
        """Seconds by finished stage."""
        return {name: stage["wall_s"] for name, stage in self.stages.items()}


def hold(folder: Path, key: str) -> IO[str]:
    """A lock on `folder`, let go when it is closed, or with the process. `key`: the setting that names the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / ".lock").open("a")
    for attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if attempt + 1 < _ATTEMPTS:
                time.sleep(0.02)  # a dashboard looks for an instant whether the lock is held
                continue
            lock.close()
            message = f"another medrl is at work in {folder}; wait for it, or give {key}=another/folder"
            raise ConfigError(message) from error
        break
    return lock


def _own(folder: Path, run: Path) -> None:
    """Note whose data `folder` holds. Raises ConfigError if they are those of another run that is still there."""
    note, mine = folder / ".run", str(run.resolve())
    owner = note.read_text(encoding="utf-8").strip() if note.exists() else mine
    if owner != mine and (Path(owner) / "config.yaml").exists():
        raise ConfigError(f"out={folder} holds the data of {owner}: give out=another/folder, or delete it")
    write_text(note, f"{mine}\n")


#: Settings that change how a run is carried out, not what comes out of it; a run may go on with other ones.
_FREE: Any = {
    "kisa": {
        **dict.fromkeys(("workers", "benchmarks", "closed_book_sample"), True),
        **dict.fromkeys(("significance", "wording", "teacher"), ASKING),
        "solvers": {"__all__": ASKING},
    },
    "knowledge": {"recording": {"mode", "path", "most_mb"}, "reader": ASKING, "network": True},
    "pool": True,
    "rollout": True,
    "tracking": True,
    "run_dir": True,  # the folder itself, however it is spelt; it may have been moved
    "env": {"timeout_s"},
    "learner": {"step_timeout_s", "threads"},
    "reward": {"judge": ASKING, "efficiency_judge": ASKING},
    "checkpoint": True,
    "cluster": True,
    "eval": {"models", "judge"},
    "resume": True,
}


def difference(held: Config, asked: Config) -> str | None:
    """The first key in which the two differ, for the message; None if they are equal but for `_FREE`."""
    return _first_difference(held.model_dump(exclude=_FREE), asked.model_dump(exclude=_FREE))


def _first_difference(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    for name in before | after:
        one, other = before.get(name), after.get(name)
        if one != other:
            inner = _first_difference(one, other) if isinstance(one, dict) and isinstance(other, dict) else None
            return name if inner is None else f"{name}.{inner}"
    return None
