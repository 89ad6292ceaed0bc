"""Metrics of a run: metrics.jsonl, and Weights & Biases beside it."""

import json
import math
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from medrl.config import Config
from medrl.records import write_text

SFT_STEP, TRAINER_STEP = "sft/step", "trainer/step"


class Tracker:
    """Appends one JSON line per step to metrics.jsonl: {"stage", "step", "time": unix seconds, <key>: value, ...}.

    A value that is not finite is written as null. The same goes to Weights & Biases, offline unless WANDB_API_KEY is
    set, in the run directory. Only metrics and the configuration go there: no code, no console output, no
    environment, no machine data, no address of an endpoint.
    """

    def __init__(self, config: Config, run_path: Path) -> None:
        """Open for appending. A half-written last line, left by a crash, is cut off."""
        run_path.mkdir(parents=True, exist_ok=True)
        path = run_path / "metrics.jsonl"
        _cut_half_line(path)
        self._file = path.open("a", encoding="utf-8")
        self._wandb = _open_wandb(config, run_path) if config.tracking.wandb else None

    def log(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        """Write one step of `stage` ("sft", "grpo", ...). On disk when this returns."""
        values = {key: float(value) for key, value in metrics.items()}
        line = {"stage": stage, "step": step, "time": round(time.time(), 3)}
        finite = {key: value if math.isfinite(value) else None for key, value in values.items()}
        self._file.write(json.dumps(line | finite, allow_nan=False) + "\n")
        self._file.flush()
        if self._wandb is not None:
            self._wandb.log(values | {SFT_STEP if stage == "sft" else TRAINER_STEP: step})

    def close(self) -> None:
        """Flush and close both."""
        self._file.close()
        if self._wandb is not None:
            self._wandb.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _cut_half_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("r+b") as file:
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)


def _open_wandb(config: Config, run_path: Path) -> Any:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb  # here: it takes a second and reads the line above

    folder = run_path / "wandb"
    folder.mkdir(exist_ok=True)
    run = wandb.init(
        project=config.tracking.project,
        name=config.name,
        group=config.tracking.group,
        tags=config.tracking.tags,
        id=_run_id(folder / "run_id"),
        resume="allow",
        config=_without_addresses(config.model_dump()),
        dir=str(run_path.resolve()),
        mode="online" if os.environ.get("WANDB_API_KEY") else "offline",
        settings=wandb.Settings(
            silent=True,
            console="off",
            save_code=False,
            disable_code=True,
            disable_git=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        ),
    )
    run.define_metric(SFT_STEP, hidden=True)
    run.define_metric(TRAINER_STEP, hidden=True)
    run.define_metric("*", step_metric=TRAINER_STEP)
    run.define_metric("sft/*", step_metric=SFT_STEP)
    return run


def _without_addresses(settings: Any) -> Any:
    """The settings but for `url`, in any section."""
    if isinstance(settings, list):
        return [_without_addresses(value) for value in settings]
    if not isinstance(settings, dict):
        return settings
    return {key: _without_addresses(value) for key, value in settings.items() if key != "url"}


def _run_id(path: Path) -> str:
    """One id a run directory, so that what a resumed run logs joins what was there."""
    if not path.exists():
        write_text(path, secrets.token_hex(4))
    return path.read_text(encoding="utf-8").strip()
