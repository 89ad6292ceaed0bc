"""The small files of a run, and where it stands by them."""

import fcntl
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from launch.web.problems import Problem, parse_json
from medrl.config import Config, load
from medrl.errors import DataError, UserError

STALE_S = 15.0
_RECENT = 20


class RunState:
    """Reads a run's small files, each again when it changed."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._held: dict[str, tuple[float, Any]] = {}
        self._problems: dict[str, Problem] = {}

    def config(self) -> Config | None:
        """config.yaml; None if there is none yet, or none that this version reads."""
        config: Config | None = self._read("config.yaml", load)
        return config

    def summary(self) -> dict[str, Any] | None:
        """summary.json, None before the evaluation."""
        return self._object("summary.json")

    def stages(self) -> dict[str, Any]:
        """stages.json: what is known of each finished stage."""
        return self._object("stages.json") or {}

    def health(self, now: float) -> dict[str, Any] | None:
        """health.json with `age_s`, and `stale`: a run is at work but has not written it for `STALE_S`."""
        health: dict[str, Any] | None = self._read("health.json", _health)
        if health is None:
            return None
        age_s = max(0.0, now - health["time"])
        return health | {"age_s": age_s, "stale": age_s > STALE_S and is_held(self.run)}

    def problems(self) -> list[Problem]:
        """Files that could not be read."""
        return list(self._problems.values())

    def _object(self, name: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._read(name, _json_object)
        return found

    def _read(self, name: str, reader: Callable[[Path], Any]) -> Any:
        path = self.run / name
        try:
            changed = path.stat().st_mtime
            if name not in self._held or self._held[name][0] != changed:
                self._held[name] = changed, reader(path)
                self._problems.pop(name, None)
        except FileNotFoundError:
            self._held.pop(name, None)
        except UserError as error:
            self._held[name] = changed, None
            self._problems[name] = Problem(name, None, str(error))
        return self._held.get(name, (0.0, None))[1]


def _json_object(path: Path) -> dict[str, Any]:
    try:
        value = parse_json(path.read_bytes())
    except ValueError as error:
        raise DataError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise DataError("not a JSON object")
    return value


def _health(path: Path) -> dict[str, Any]:
    value = _json_object(path)
    if not isinstance(value.get("time"), int | float) or not isinstance(value.get("actors"), list):
        raise DataError("`time` and `actors` are not there: another version of medrl wrote it")
    return value


def is_held(run: Path) -> bool:
    """Whether a command is at work in the run: it holds .lock, and lets go of it however it ends."""
    try:
        lock = (run / ".lock").open("rb")
    except FileNotFoundError:
        return False
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def standing(
    lines: Sequence[dict[str, Any]], stages: dict[str, Any], config: Config | None, at_work: str | None, now: float
) -> dict[str, Any]:
    """Where the run stands: `at_work`, the stage that says so, else the one that logged last; its step of how many, and
    seconds that are left of it.

    {"stage", "step": steps done, "total", "eta_s", "time": of the last line}; None where it cannot be known. The time
    left is that of the remaining steps at the median of the last ones, less what the step at work has taken.
    """
    last = lines[-1] if lines else None
    if last is None or at_work not in (None, last["stage"]):
        return {"stage": at_work, "step": None, "total": None, "eta_s": None, "time": last["time"] if last else None}
    stage, step = last["stage"], last["step"] + 1
    totals = {"sft": config.sft.updates, "grpo": config.grpo.steps} if config is not None else {}
    total = totals.get(stage)
    recent = [line for line in lines[-_RECENT:] if line["stage"] == stage]
    gaps = [after["time"] - before["time"] for before, after in pairwise(recent) if after["step"] == before["step"] + 1]
    eta_s = None
    if total is not None and stage not in stages and gaps:
        eta_s = max(0.0, median(gaps) * (total - step) - min(median(gaps), now - last["time"]))
    return {"stage": stage, "step": step, "total": total, "eta_s": eta_s, "time": last["time"]}
