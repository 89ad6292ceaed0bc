import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest

from launch.rundir import RunDirectory
from launch.web.run_state import RunState, is_held, standing
from medrl.config import Config
from medrl.records import write_json
from tests.launch.web.live_run import write_live_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_live_run(tmp_path / "run", steps=1)


def lines(*steps: int, stage: str = "grpo", every_s: float = 10.0) -> list[dict[str, Any]]:
    return [{"stage": stage, "step": step, "time": 1000.0 + every_s * at} for at, step in enumerate(steps)]


def test_a_run_is_at_work_while_its_lock_is_held(run: Path) -> None:
    assert not is_held(run)
    config = RunState(run).config()
    assert config is not None
    with RunDirectory(config):
        assert is_held(run)
    assert not is_held(run)


def test_looking_at_the_lock_keeps_no_run_from_starting(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look is over in an instant, and whoever wants the lock asks again after one."""
    config = RunState(run).config()
    assert config is not None
    with (run / ".lock").open("a") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        monkeypatch.setattr("launch.rundir.time.sleep", lambda seconds: fcntl.flock(looking, fcntl.LOCK_UN))
        with RunDirectory(config):
            assert is_held(run)


def test_steps_done_of_how_many_and_the_time_left(run: Path) -> None:
    config = RunState(run).config()
    assert isinstance(config, Config) and config.grpo.steps == 40
    found = standing(lines(0, 1, 2, 3), {}, config, None, now=1034.0)
    assert found == {"stage": "grpo", "step": 4, "total": 40, "eta_s": 36 * 10.0 - 4.0, "time": 1030.0}
    late = standing(lines(0, 1, 2, 3), {}, config, None, now=9999.0)
    assert late["eta_s"] == 36 * 10.0 - 10.0  # a step that takes long is counted as done at once
    assert standing(lines(0, 1), {"grpo": {}}, config, None, now=1034.0)["eta_s"] is None
    assert standing(lines(5), {}, config, None, now=1034.0)["eta_s"] is None
    assert standing(lines(0, 1), {}, None, None, now=1034.0)["total"] is None


def test_a_resumed_stage_counts_its_last_attempt(run: Path) -> None:
    """Steps 0 to 3, then after a long break 2 and 3 again: the break is no step."""
    attempts = [*lines(0, 1, 2, 3), {"stage": "grpo", "step": 2, "time": 90_000.0}]
    attempts.append({"stage": "grpo", "step": 3, "time": 90_010.0})
    found = standing(attempts, {}, RunState(run).config(), None, now=90_010.0)
    assert (found["step"], found["eta_s"]) == (4, 36 * 10.0)


def test_the_stage_at_work_is_what_says_so(run: Path) -> None:
    found = standing(lines(0, 1, stage="sft"), {}, RunState(run).config(), "eval_sft", now=2000.0)
    assert found == {"stage": "eval_sft", "step": None, "total": None, "eta_s": None, "time": 1010.0}
    assert standing([], {}, None, "data", now=0.0)["stage"] == "data"
    assert standing([], {}, None, None, now=0.0) == dict.fromkeys(("stage", "step", "total", "eta_s", "time"))


def test_old_health_of_a_run_at_work_is_stale(run: Path) -> None:
    state = RunState(run)
    assert state.health(now=100.0) is None
    write_json(run / "health.json", {"time": 100.0, "ended": False, "actors": []})
    assert state.health(now=110.0) == {"time": 100.0, "ended": False, "actors": [], "age_s": 10.0, "stale": False}
    ended = state.health(now=200.0)
    assert ended is not None and not ended["stale"]  # nobody is at work who should have written it
    with (run / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        old = state.health(now=115.5)
        assert old is not None and old["stale"]
        young = state.health(now=114.5)
        assert young is not None and not young["stale"]


def test_files_that_cannot_be_read_are_named_until_they_can(run: Path) -> None:
    state = RunState(run)
    (run / "summary.json").write_text('{"base": NaN}')
    (run / "health.json").write_text('{"time": 1}')
    assert state.health(0.0) is None
    (run / "config.yaml").write_text("nonsense: 1\n")
    assert state.summary() is None and state.config() is None
    assert {problem.file for problem in state.problems()} == {"summary.json", "config.yaml", "health.json"}
    assert any("name is missing" in problem.message for problem in state.problems())
    (run / "summary.json").write_text(json.dumps({"base": {}}))
    os.utime(run / "summary.json", (1.0, 1.0))
    assert state.summary() == {"base": {}}
    assert {problem.file for problem in state.problems()} == {"config.yaml", "health.json"}
