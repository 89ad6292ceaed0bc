"""Whole sweeps. First with a process that pretends to be a run (`fake_trial`), then with real, tiny ones."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import yaml
from safetensors.torch import load_file

from launch import pipeline, stages
from launch.sweeps.jobs import finished_stages
from launch.sweeps.process import last_line, run_process
from launch.sweeps.sweep import run_sweep
from medrl.config import parse
from medrl.errors import ConfigError, InfrastructureError
from tests.launch.sweeps import fake_trial
from tests.test_end_to_end import config

ROOT = Path(__file__).parents[3]
FAKE = (sys.executable, fake_trial.__file__)

pytestmark = pytest.mark.timeout(1500)


def sweep_file(folder: Path, cases: dict[str, dict[str, Any]], **values: Any) -> Path:
    path = folder / "sweep.yaml"
    file = {"name": "s", "recipe": "quickstart", "run_dir": str(folder / "out"), "cases": cases, "bootstrap": 500}
    path.write_text(yaml.safe_dump(file | values, sort_keys=False))
    return path


def attempts(folder: Path, trial: str) -> int:
    return len((folder / "out" / "trials" / trial / "attempts").read_text().splitlines())


@pytest.mark.slow
def test_failures_stay_apart_and_finished_trials_are_not_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases: dict[str, dict[str, Any]] = {
        "plain": {"grpo.lr": 0.01},
        "better": {"grpo.lr": 0.5},
        "die-1.once": {"grpo.lr": 0.02},
        "broken": {"grpo.lr": 0.03},
        "wrong": {"grpo.lr": 0.04},
    }
    path = str(sweep_file(tmp_path, cases, seeds=[0, 1], retries=1, at_once=2))
    with pytest.raises(InfrastructureError, match="4 of 10 trials failed, .* with: (engine-0 gave|out of range)"):
        run_sweep(path, FAKE)
    first = capsys.readouterr()
    assert "resolved: better is better than plain by" in first.out
    assert "6 of 10 trials done, 0 running, 4 failed, 2 of 2 shared parts done" in first.err
    tried = {name: attempts(tmp_path, f"{name}-seed0") for name in cases}
    assert tried == {"plain": 1, "better": 1, "die-1.once": 2, "broken": 2, "wrong": 1}
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [row["name"] for row in results["settings"]] == list(cases)
    assert [each["name"] for each in results["differences"]] == ["better", "die-1.once"]
    assert all(each["paired_by_question"] for each in results["differences"])
    assert results["failed"]["broken-seed0"] == "engine-0 gave no reply"

    with pytest.raises(InfrastructureError, match="4 of 10"):
        run_sweep(path, FAKE)
    again = {name: attempts(tmp_path, f"{name}-seed0") for name in cases}
    assert again == tried | {"broken": 4, "wrong": 2}
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == results
    assert not (tmp_path / "out" / "tune").exists()

    sweep_file(tmp_path, cases | {"plain": {"grpo.lr": 0.9}}, seeds=[0, 1], retries=1, at_once=2)
    with pytest.raises(ConfigError, match="plain-seed0 holds a run with other settings"):
        run_sweep(path, FAKE)


@pytest.mark.slow
def test_what_a_failed_part_was_for_fails_with_it(tmp_path: Path) -> None:
    """And a sweep without anything to compare says so."""
    command = (sys.executable, "-c", "print('medrl: no chain left'); raise SystemExit(2)")
    path = str(sweep_file(tmp_path, {"a": {}, "b": {"grpo.lr": 0.1}}, seeds=[0]))
    with pytest.raises(InfrastructureError, match="2 of 2 trials failed, a-seed0 with: sft-.*: no chain left"):
        run_sweep(path, command)
    assert not (tmp_path / "out" / "trials").exists()
    assert "nothing to compare" in (tmp_path / "out" / "report.md").read_text()


def described(folder: Path, code: str) -> dict[str, Any]:
    return {
        "file": str(folder / "job.json"),
        "log": str(folder / "log.txt"),
        "slots": str(folder / "slots"),
        "per_node": 2,
        "command": [sys.executable, "-c", code],
        "cwd": str(folder),
    }


def test_a_job_gets_cores_of_its_own_and_none_of_ray_s_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_JOB_ID", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 5, 6, 7, 8})
    code = (
        "import os, sys\n"
        "print(sys.argv[2], [key for key in os.environ if key.startswith('RAY_')], os.getsid(0) == os.getpid())"
    )
    run_process({"job": described(tmp_path, code)})
    assert last_line(tmp_path / "log.txt") == "4,5 [] True"
    with pytest.raises(InfrastructureError, match="exit code -9: 4,5"):
        run_process({"job": described(tmp_path, "import os; os.kill(os.getpid(), 9)")})


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", "it said nothing"),
        ("one\nmedrl: out of range\n\n", "out of range"),
        ("sft 40%\r\x1b[31msft\t100%\x1b[0m\r\n \x1b[0m\n", "sft 100%"),
        ("at \x1b]0;title\x07the end\u202e\x9b2J", "at ]0;titlethe end2J"),
        ("x" * 5000, "x" * 399 + "…"),
    ],
)
def test_the_last_line_of_a_log_is_fit_to_be_shown(tmp_path: Path, log: str, said: str) -> None:
    (tmp_path / "log.txt").write_text(log, newline="")
    assert last_line(tmp_path / "log.txt") == said


def start_trial(job: Path, work: str) -> "subprocess.Popen[bytes]":
    code = (
        f"import launch.sweeps.trial as trial, time, sys\ntrial.run_job = lambda path: {work}\nsys.exit(trial.main())"
    )
    arguments = [sys.executable, "-c", code, str(job), "0"]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)


def test_a_trial_ends_when_who_started_it_does(tmp_path: Path) -> None:
    with start_trial(tmp_path, "(print('up', flush=True), time.sleep(60))") as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert psutil.Process(process.pid).cpu_affinity() == [0]
        process.stdin.close()
        assert process.wait(30) == 1


def test_a_trial_ends_well_while_who_started_it_waits(tmp_path: Path) -> None:
    with start_trial(tmp_path, "None") as process:
        assert process.wait(60) == 0


class Command:
    """`medrl sweep` in a process of its own, its output in a file."""

    def __init__(self, path: Path) -> None:
        self.log = path.with_suffix(".log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "import sys; from launch.cli import main; sys.exit(main())", "sweep", str(path)],
                env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
                cwd=path.parent,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_for(self, what: str, there: Callable[[], bool]) -> None:
        while not there():
            assert self.process.poll() is None, f"ended before {what}: {self.log.read_text()[-3000:]}"
            time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.long
def test_killed_trials_and_a_killed_sweep_go_on_where_they_were(tmp_path: Path) -> None:
    values = config(tmp_path).model_dump(exclude={"run_dir", "resume", "name"})
    values["grpo"] |= {"steps": 6}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"name": "tiny"} | values))
    cases: dict[str, dict[str, Any]] = {"a": {}, "b": {"grpo.divide_by_std": True, "reward.expert": 0.5}}
    path = sweep_file(tmp_path, cases, recipe="recipe.yaml", seeds=[3])
    a, b = (tmp_path / "out" / "trials" / f"{name}-seed3" for name in cases)

    def steps(run: Path) -> int:
        folder = run / "checkpoints" / "state" / "grpo"
        return max((int(each.name.removeprefix("step-")) for each in folder.glob("step-*")), default=0)

    command = Command(path)
    command.wait_for("a's first checkpoint", lambda: steps(a) >= 1)
    (trial,) = (each for each in psutil.process_iter(["cmdline"]) if _runs(each, tmp_path, "a-seed3"))
    os.killpg(trial.pid, signal.SIGKILL)
    command.wait_for("b's first checkpoint", lambda: steps(b) >= 1)
    assert "a-seed3 died and is started again" in command.log.read_text()
    assert "report" in finished_stages(a)
    before = {file: file.stat().st_mtime_ns for file in (a / "stages.json", a / "metrics.jsonl", a / "log.txt")}

    command.process.kill()
    command.process.wait()
    again = Command(path)
    assert again.process.wait(600) == 0, again.log.read_text()[-3000:]
    assert {file: file.stat().st_mtime_ns for file in before} == before  # finished, so not run again
    for run in (a, b):
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines if line["stage"] == "sft"] == list(range(40))  # the part's, once
        assert {line["step"] for line in lines if line["stage"] == "grpo"} == set(range(6))
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    (difference,) = results["differences"]
    assert difference["paired_by_question"] and not difference["resolved"]
    assert "one seed" in difference["verdict"]

    # Killed and put together from a part, a trial is what the run would have been by itself.
    trial_config = json.loads((tmp_path / "out" / "jobs" / "b-seed3.json").read_text())["config"]
    whole = pipeline.run(parse(trial_config | {"run_dir": str(tmp_path / "whole")}, "test"), stages.QUICKSTART)
    for stage in ("eval_base", "eval_sft", "eval_rl"):
        assert finished_stages(b)[stage]["greedy"] == whole.stages[stage]["greedy"]
    want, got = (load_file(run / "checkpoints" / "rl" / "model.safetensors") for run in (whole.path, b))
    assert all(torch.equal(want[name], got[name]) for name in want)


def _runs(process: psutil.Process, folder: Path, job: str) -> bool:
    line = process.info["cmdline"] or []
    return "launch.sweeps.trial" in line and str(folder / "out" / "jobs" / f"{job}.json") in line
