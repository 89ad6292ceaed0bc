"""A run directory: what was asked, which stages are done, and what they left. Interrupted work resumes by stage."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from medrl.config import Config, load
from medrl.errors import ConfigError
from medrl.records import write_json, write_text


class RunDirectory:
    """runs/<name>/: config.yaml, stages.json, data/, checkpoints/, trajectories/, metrics.jsonl, summary.json."""

    def __init__(self, config: Config) -> None:
        """Open or create it. Raises ConfigError if it holds a run of another configuration."""
        self.path = config.run_path
        held = self.path / "config.yaml"
        if not held.exists():
            write_text(held, config.to_yaml())
        elif (changed := _difference(load(held), config)) is not None:
            raise ConfigError(
                f"{self.path} holds a run with other settings ({changed}); "
                "give run_dir=another/folder, or delete that one to start again"
            )
        self._stages_file = self.path / "stages.json"
        self.stages: dict[str, dict[str, Any]] = {}
        if self._stages_file.exists():
            self.stages = json.loads(self._stages_file.read_text(encoding="utf-8"))

    def done(self, stage: str) -> bool:
        """Whether `stage` was finished, now or in an earlier run."""
        return stage in self.stages

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a stage; what its body puts into the yielded dict is kept with it. Marked done only if it ends well."""
        kept: dict[str, Any] = {}
        begun = time.monotonic()
        yield kept
        self.stages[name] = {"wall_s": round(time.monotonic() - begun, 1), **kept}
        write_json(self._stages_file, self.stages)

    @property
    def wall_s(self) -> dict[str, float]:
        """Seconds by finished stage."""
        return {name: stage["wall_s"] for name, stage in self.stages.items()}


def _difference(held: Config, asked: Config) -> str | None:
    """The first section in which the two differ, for the message; None if they are equal."""
    for name in type(held).model_fields:
        if getattr(held, name) != getattr(asked, name):
            return name
    return None
