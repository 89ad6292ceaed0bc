"""Metrics of a run: metrics.jsonl, and Weights & Biases beside it."""

import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tqdm import tqdm

from launch.wandb_run import WandbLost, WandbRun
from medrl.config import Config
from medrl.records import append_lines
from medrl.types import RolloutGroup


class Tracker:
    """Appends one JSON line per step to metrics.jsonl: {"stage", "step", "time": unix seconds, <key>: value, ...}.

    A value that is not finite is written as null. The same goes to Weights & Biases (`launch.wandb_run`), with tables
    of episodes and what tracking.artifacts asks for. If that is lost on the way the run says so and goes on: all of it
    is in the run directory.
    """

    def __init__(self, config: Config, run_path: Path) -> None:
        """Open for appending. A half-written last line, left by a crash, is cut off. Raises ConfigError without wandb
        where it is asked for."""
        self._settings = config.tracking
        self._wandb = WandbRun(config, run_path) if config.tracking.wandb else None
        self._file = append_lines(run_path / "metrics.jsonl")
        self.last: tuple[str, int] | None = None  # stage and step

    def log(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        """Write one step of `stage` ("sft", "grpo", ...). On disk when this returns."""
        self.last = stage, step
        values = {key: float(value) for key, value in metrics.items()}
        line = {"stage": stage, "step": step, "time": round(time.time(), 3)}
        finite = {key: value if math.isfinite(value) else None for key, value in values.items()}
        self._file.write(json.dumps(line | finite, allow_nan=False) + "\n")
        self._file.flush()
        self._send(lambda wandb: wandb.log(values, step=step, stage=stage))

    def log_episodes(self, groups: Sequence[RolloutGroup], *, step: int) -> None:
        """A table of them, every tracking.tables_every steps."""
        every = self._settings.tables_every
        if every and (step + 1) % every == 0:
            self._send(lambda wandb: wandb.log_episodes(groups, step))

    def log_data(self, files: Sequence[Path]) -> None:
        """The finished files that training starts from, unless tracking.artifacts is none."""
        if self._settings.artifacts != "none":
            self._send(lambda wandb: wandb.log_files("data", files))

    def log_checkpoint(self, name: str, folder: Path) -> None:
        """A finished model, if tracking.artifacts is all: where it is and what its files' checksums are."""
        if self._settings.artifacts == "all":
            self._send(lambda wandb: wandb.log_folder(name, folder))

    def close(self, *, failed: bool = False) -> None:
        """Flush and close both; wandb hears whether the command `failed`."""
        self._file.close()
        self._send(lambda wandb: wandb.close(failed=failed))

    def _send(self, send: Callable[[WandbRun], None]) -> None:
        if self._wandb is None:
            return
        try:
            send(self._wandb)
        except WandbLost as error:
            self._wandb = None
            told = f"wandb is lost ({error}): the run goes on without it, and metrics.jsonl has all of its metrics"
            tqdm.write(told, file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close(failed=error is not None)
