"""Run `medrl train` on a tiny model and kill its processes at random moments; then look at what it did.

report = kill(folder, kills=50, seed=0, schedule="sync")
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from medrl.records import read_jsonl
from medrl.types import Ending, Rollout

ROOT = Path(__file__).parents[1]
KINDS = {
    "rollout worker": "ray::RolloutWorker",
    "reward actor": "ray::RewardActor",
    "curriculum actor": "ray::CurriculumActor",
    "engine": "ray::EngineActor",
    "learner rank": "ray::LearnerRank",
    "driver": "",
}
CHECKPOINT = "during a checkpoint"
LONGEST_RUN_S = 3600.0


@dataclass(slots=True)
class KillReport:
    """`kills`: how many of each kind. `gave_up`: times that the driver ended by itself with an error."""

    run: Path
    kills: Counter[str] = field(default_factory=Counter)
    gave_up: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.kills.items()))
        return f"{sum(self.kills.values())} kills in {self.seconds:.0f} s ({kinds})"

    @property
    def rollouts(self) -> list[list[Rollout]]:
        """Of each step, in order."""
        return [list(read_jsonl(path, Rollout)) for path in sorted((self.run / "trajectories").glob("grpo-????.jsonl"))]

    @property
    def trained(self) -> Counter[str]:
        """How often each question was learnt from."""
        return Counter(question for step in self.rollouts for question in {each.question_id for each in step})

    @property
    def scored_outages(self) -> int:
        """Episodes that ended by an outage, or lack a reward, and were learnt from all the same."""
        return sum(each.ending is Ending.TOOL_OUTAGE or each.reward is None for step in self.rollouts for each in step)


class Run:
    """One run directory; its driver is started again after each death."""

    def __init__(self, recipe: Path, command: str = "train") -> None:
        self.recipe = recipe
        self._command = command
        self.run_path = Path(yaml.safe_load(recipe.read_text())["run_dir"])
        self._log = recipe.with_suffix(".log").open("ab")
        self.driver = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        script = [sys.executable, "-c", "import sys; from launch.cli import main; sys.exit(main())"]
        self.driver = subprocess.Popen(
            [*script, self._command, str(self.recipe), "resume=auto"],
            env=environment, stdout=self._log, stderr=self._log, cwd=self.recipe.parent, start_new_session=True,
        )  # fmt: skip
        return self.driver

    def victims(self, kind: str) -> list[psutil.Process]:
        """Living processes of a kind, in the order they were started."""
        try:
            driver = psutil.Process(self.driver.pid)
            if kind == "driver":
                return [driver]
            found = [each for each in driver.children(recursive=True) if title_of(each).startswith(KINDS[kind])]
        except psutil.NoSuchProcess:
            return []
        return sorted(found, key=lambda each: each.pid)

    @property
    def writing(self) -> bool:
        """Whether a checkpoint is half-written."""
        return any((self.run_path / "checkpoints" / "state" / "grpo").glob(".*.partial"))

    @property
    def steps(self) -> int:
        """Steps that a checkpoint holds."""
        folder = self.run_path / "checkpoints" / "state" / "grpo"
        return max((int(path.name.removeprefix("step-")) for path in folder.glob("step-*")), default=0)

    def close(self) -> None:
        if self.driver.poll() is None:
            os.kill(self.driver.pid, signal.SIGKILL)
        self.driver.wait()
        self._log.close()


def title_of(process: psutil.Process) -> str:
    """What a process calls itself; nothing once it is dead, reaped or not."""
    try:
        return (process.cmdline() or [""])[0]
    except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
        return ""


def prepare(folder: Path, values: dict[str, Any]) -> Path:
    """Everything before GRPO, once: returns the run directory to copy."""
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(write_recipe(folder, values), "sft")
    code = run.driver.wait(LONGEST_RUN_S)
    run.close()
    assert code == 0, run.recipe.with_suffix(".log").read_text()[-3000:]
    return run.run_path


def write_recipe(folder: Path, values: dict[str, Any]) -> Path:
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(values | {"run_dir": str(folder / "run")}))
    return recipe


def kill(
    folder: Path, prepared: Path, values: dict[str, Any], kills: int, seed: int, pause_s: float = 6.0
) -> KillReport:
    """Train to the end under `kills` SIGKILLs, each at a random moment up to `pause_s` after the one before, or in
    the step after the next, if steps are faster.

    Kinds take turns in a random order, so that `kills` >= 7 meets them all and a checkpoint being written.
    """
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    shutil.copytree(prepared, folder / "run")
    (folder / "run" / "config.yaml").unlink()
    report = KillReport(folder / "run")
    begun = time.monotonic()
    run = Run(write_recipe(folder, values))
    order: list[str] = []
    try:
        while sum(report.kills.values()) < kills and _alive(run, report):
            order = order or rng.sample([*KINDS, CHECKPOINT], len(KINDS) + 1)
            kind = order.pop()
            _sleep(run, rng.uniform(0.0, pause_s), rng)
            if victim := _wait_for_victim(run, report, kind, rng):
                victim.send_signal(signal.SIGKILL)
                report.kills[kind] += 1
        while run.driver.poll() != 0:
            if not _alive(run, report) and run.driver.poll() == 0:
                break
            assert time.monotonic() - begun < LONGEST_RUN_S, "the run does not end"
            time.sleep(0.2)
    finally:
        run.close()
    report.seconds = time.monotonic() - begun
    return report


def _alive(run: Run, report: KillReport) -> bool:
    """Start the driver again if it is dead; False once the run has ended well."""
    code = run.driver.poll()
    if code is None:
        return True
    if code == 0:
        return False
    if code != -signal.SIGKILL:
        log = run.recipe.with_suffix(".log").read_text(errors="replace").strip().splitlines()
        report.gave_up.append(f"exit code {code}: {log[-1] if log else ''}")
        assert len(report.gave_up) < 5, report.gave_up
    run.start()
    return True


def _sleep(run: Run, seconds: float, rng: random.Random) -> None:
    """So long, or until some moment of the step after the next, if steps are faster."""
    begun, steps = time.monotonic(), run.steps
    until = begun + seconds
    while time.monotonic() < until and run.driver.poll() is None:
        if run.steps > steps:
            until, steps = min(until, time.monotonic() + rng.uniform(0.0, time.monotonic() - begun)), run.steps + 1
        time.sleep(0.02)


def _wait_for_victim(run: Run, report: KillReport, kind: str, rng: random.Random) -> psutil.Process | None:
    """A living process of the kind; the driver itself while it writes a checkpoint."""
    while _alive(run, report):
        if kind == CHECKPOINT:
            if run.writing and (drivers := run.victims("driver")):
                return drivers[0]
        elif found := run.victims(kind):
            return rng.choice(found)
        time.sleep(0.001 if kind == CHECKPOINT else 0.1)
    return None
