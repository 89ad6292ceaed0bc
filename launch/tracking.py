"""Metrics of a run: metrics.jsonl, and Weights & Biases beside it."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from launch.wandb_run import WandbRun
from medrl.config import Config
from medrl.records import append_lines
from medrl.types import RolloutGroup


class Tracker:
    """Appends one JSON line per step to metrics.jsonl: {"stage", "step", "time": unix seconds, <key>: value, ...}.

    A value that is not finite is written as null. The same goes to Weights & Biases (`launch.wandb_run`), with tables
    of episodes and what tracking.artifacts asks for.
    """

    def __init__(self, config: Config, run_path: Path) -> None:
        """Open for appending. A half-written last line, left by a crash, is cut off."""
        self._file = append_lines(run_path / "metrics.jsonl")
        self._settings = config.tracking
        self._wandb = WandbRun(config, run_path) if config.tracking.wandb else None
        self.last: tuple[str, int] | None = None  # stage and step

    def log(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        """Write one step of `stage` ("sft", "grpo", ...). On disk when this returns."""
        self.last = stage, step
        values = {key: float(value) for key, value in metrics.items()}
        line = {"stage": stage, "step": step, "time": round(time.time(), 3)}
        finite = {key: value if math.isfinite(value) else None for key, value in values.items()}
        self._file.write(json.dumps(line | finite, allow_nan=False) + "\n")
        self._file.flush()
        if self._wandb is not None:
            self._wandb.log(values, step=step, stage=stage)

    def log_episodes(self, groups: Sequence[RolloutGroup], *, step: int) -> None:
        """A table of them, every tracking.tables_every steps."""
        every = self._settings.tables_every
        if self._wandb is not None and every and (step + 1) % every == 0:
            self._wandb.log_episodes(groups, step)

    def log_data(self, files: Sequence[Path]) -> None:
        """The finished files that training starts from, unless tracking.artifacts is none."""
        if self._wandb is not None and self._settings.artifacts != "none":
            self._wandb.log_files("data", files)

    def log_checkpoint(self, name: str, folder: Path) -> None:
        """A finished model, if tracking.artifacts is all: where it is and what its files' checksums are."""
        if self._wandb is not None and self._settings.artifacts == "all":
            self._wandb.log_folder(name, folder)

    def close(self) -> None:
        """Flush and close both."""
        self._file.close()
        if self._wandb is not None:
            self._wandb.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
