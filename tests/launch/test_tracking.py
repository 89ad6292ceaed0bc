import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from launch.tracking import Tracker
from medrl.config import Config
from medrl.errors import ConfigError
from medrl.sections.endpoint import JudgeConfig
from medrl.sections.episodes import RewardConfig
from medrl.sections.machines import TrackingConfig

QUIET = Config(name="t", tracking=TrackingConfig(wandb=False))


def lines(run: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_line_a_step_on_disk_at_once(tmp_path: Path) -> None:
    with Tracker(QUIET, tmp_path) as tracker:
        tracker.log({"sft/loss": 1.5}, step=0, stage="sft")
        (line,) = lines(tmp_path)
        assert line.pop("time")
        assert line == {"stage": "sft", "step": 0, "sft/loss": 1.5}


def test_what_is_not_finite_becomes_null_and_stays_json(tmp_path: Path) -> None:
    with Tracker(QUIET, tmp_path) as tracker:
        tracker.log({"a": math.nan, "b": math.inf, "c": 0.0}, step=0, stage="grpo")
    (line,) = lines(tmp_path)
    assert (line["a"], line["b"], line["c"]) == (None, None, 0.0)


def test_resuming_cuts_a_half_line_and_keeps_the_rest(tmp_path: Path) -> None:
    with Tracker(QUIET, tmp_path) as tracker:
        tracker.log({"a": 1.0}, step=0, stage="grpo")
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"stage": "grpo", "step": 1, "a"')
    with Tracker(QUIET, tmp_path) as tracker:
        tracker.log({"a": 2.0}, step=1, stage="grpo")
    assert [(line["step"], line["a"]) for line in lines(tmp_path)] == [(0, 1.0), (1, 2.0)]


def test_wandb_offline_holds_metrics_and_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("SOME_TOKEN", "correct-horse-battery")
    judged = RewardConfig(judge=JudgeConfig(url="http://open-sesame.example/v1", model="m"))
    config = Config(name="t", reward=judged)
    for _ in range(2):  # a second time, as a resumed run does
        with Tracker(config, tmp_path) as tracker:
            tracker.log({"reward/total/mean": 0.5}, step=0, stage="grpo")
    written = [path for path in (tmp_path / "wandb").rglob("*") if path.is_file()]
    logs = [path for path in written if path.suffix == ".wandb"]
    run_id = (tmp_path / "wandb" / "run_id").read_text()
    assert {path.stem for path in logs} == {f"run-{run_id}"}
    assert any(b"reward/total/mean" in path.read_bytes() for path in logs)
    for path in written:
        assert b"correct-horse-battery" not in path.read_bytes(), path
        assert b"open-sesame" not in path.read_bytes(), path
    assert not [path for path in written if path.name in ("requirements.txt", "wandb-metadata.json", "output.log")]


OUTLIVES = """
import sys, time
from pathlib import Path

import psutil

from launch.tracking import Tracker
from medrl.config import Config

with Tracker(Config(name="t"), Path(sys.argv[1])) as tracker:
    tracker.log({"a": 0.0}, step=0, stage="grpo")
    for process in psutil.Process().children(recursive=True):
        if "wandb-core" in process.name():
            process.kill()
            process.wait(timeout=10)
    for step in range(1, 4):
        tracker.log({"a": 1.0}, step=step, stage="grpo")
        time.sleep(0.2)  # the first line after it may still fit into the pipe
"""


def ended(*arguments: str) -> str:
    """What a Python process of its own said on stderr: in one that has lost wandb there is no other."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_run_outlives_the_loss_of_wandb(tmp_path: Path) -> None:
    """Its process may be killed where memory runs out."""
    assert ended("-c", OUTLIVES, str(tmp_path)).count("wandb is lost") == 1
    assert [line["step"] for line in lines(tmp_path)] == [0, 1, 2, 3]


def test_a_server_that_goes_away_does_not_hold_the_run_at_its_end(tmp_path: Path) -> None:
    assert "wandb is lost (Timed out" in ended("-m", "tests.launch.wandb_server", str(tmp_path))
    assert [line["step"] for line in lines(tmp_path)] == [0, 1]


def test_a_wandb_that_cannot_be_begun_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "too-short-for-a-key")
    with pytest.raises(ConfigError, match=r"wandb cannot be begun .*tracking\.wandb=false") as raised:
        Tracker(Config(name="t"), tmp_path)
    assert "too-short-for-a-key" not in str(raised.value)
