"""A run directory: what was asked, which stages are done, and what they left. Interrupted work resumes by stage."""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from launch.checkpoints import Checkpoints
from medrl.config import Config, load
from medrl.errors import ConfigError, DataError
from medrl.records import write_json, write_text


class RunDirectory:
    """runs/<name>/: config.yaml, stages.json, data/, checkpoints/, trajectories/, metrics.jsonl, summary.json."""

    def __init__(self, config: Config) -> None:
        """Open or create it, and hold it until `close` or the end of this process, however that comes.

        Raises ConfigError if it holds a run of another configuration, or another command is at work in it.
        """
        self.path = config.run_path
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = (self.path / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise ConfigError(
                f"another medrl is at work in {self.path}; wait for it, or give run_dir=another/folder"
            ) from error
        held = self.path / "config.yaml"
        if config.resume == "never" and held.exists():
            self.close()
            raise ConfigError(
                f"{self.path} holds a run already: resume=auto goes on with it, run_dir=another/folder leaves it alone"
            )
        if held.exists() and (changed := _difference(load(held), config)) is not None:
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
        self._lock.close()

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


#: Settings that change how a run is carried out, not what comes out of it; a run may go on with other ones.
_FREE: Any = {
    "kisa": {"workers", "benchmarks"},
    "pool": True,
    "rollout": True,
    "tracking": True,
    "env": {"timeout_s"},
    "learner": {"step_timeout_s", "threads"},
    "reward": {"judge": {"timeout_s", "attempts", "backoff_s", "concurrency", "key_variable"}},
    "checkpoint": True,
    "cluster": True,
    "resume": True,
}


def _difference(held: Config, asked: Config) -> str | None:
    """The first section in which the two differ, for the message; None if they are equal but for `_FREE`."""
    before, after = held.model_dump(exclude=_FREE), asked.model_dump(exclude=_FREE)
    return next((name for name in before if before[name] != after[name]), None)
