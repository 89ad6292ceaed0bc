"""The state of actors, from signs made by hand and from a real Ray session."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import ray

from actors.session import connected
from actors.signs import Sign
from launch.health import Health, Heard
from launch.processes import Processes


def read(run: Path) -> dict[str, Any]:
    status: dict[str, Any] = json.loads((run / "health.json").read_text())
    return status


def test_silence_is_counted_from_when_the_mark_changed() -> None:
    heard = Heard()
    assert heard.silent_s(5.0) is None
    heard.take(Sign(1), 10.0)
    heard.take(Sign(1), 14.0)
    assert heard.silent_s(15.0) == 5.0
    heard.take(Sign(2), 16.0)
    assert heard.silent_s(16.5) == 0.5


def test_tokens_become_a_rate_of_one_life() -> None:
    heard = Heard()
    figures = [
        heard.take(Sign(tokens, figures={"requests_running": 3.0}, tokens=tokens), now)["tokens_per_s"]
        for now, tokens in ((0.0, 100), (2.0, 300), (4.0, 300), (6.0, 40), (8.0, 60))
    ]
    assert figures == [None, 100.0, 50.0, None, 10.0]
    assert "tokens_per_s" not in heard.take(Sign(1), 10.0)


def test_before_there_are_actors_the_controller_is_there(tmp_path: Path) -> None:
    at = ("sft", 3)
    health = Health(tmp_path, lambda: at, every_s=0.01)
    health.stage = "sft"
    with health:
        deadline = time.monotonic() + 30
        while not (tmp_path / "health.json").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        status = read(tmp_path)
        assert (status["ended"], status["stage"], status["step"]) == (False, "sft", 3)
        health.stage = "grpo"  # nothing of it has been logged yet
    status = read(tmp_path)
    assert (status["ended"], status["stage"], status["step"]) == (True, "grpo", None)
    [controller] = status["actors"]
    assert (controller["name"], controller["pid"], controller["state"]) == ("controller", os.getpid(), "stopped")
    assert 0.01 < controller["rss_gb"] < 50
    lines = [json.loads(line) for line in (tmp_path / "health.jsonl").read_text().splitlines()]
    assert [line["ended"] for line in lines] == [False, True]
    assert lines[-1]["actors"]["controller"]["state"] == "stopped"
    assert not list(tmp_path.glob(".*"))


def test_a_line_that_was_cut_off_is_removed(tmp_path: Path) -> None:
    (tmp_path / "health.jsonl").write_text('{"time": 1}\n{"time":')
    with Health(tmp_path, lambda: None):
        pass
    lines = [json.loads(line) for line in (tmp_path / "health.jsonl").read_text().splitlines()]
    assert lines[0] == {"time": 1} and lines[-1]["ended"]


def test_memory_and_work_of_a_process_with_its_children() -> None:
    hold = "import sys; x = b'x' * 50_000_000; sys.stdout.write('.'); sys.stdout.flush(); "
    child = (
        f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {hold + 'sys.stdin.read()'!r}]); p.wait()"
    )
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None and parent.stdout.read(1) == b"."
        table = Processes()
        table.read()
        whole, alone = table.use(parent.pid), table.use(parent.pid, alone=True)
        assert whole["rss_gb"] is not None and alone["rss_gb"] is not None
        assert whole["rss_gb"] > alone["rss_gb"] + 0.05
        assert whole["cpu"] is None and alone["cpu"] is not None and alone["cpu"] >= 0.0
        parent.communicate()
    table.read()
    assert table.use(parent.pid) == {"rss_gb": None, "cpu": None}


def restarted(actor: Any) -> int:
    """Its process, once Ray has started it again."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return int(ray.get(actor.pid.remote()))
        except ray.exceptions.ActorUnavailableError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.slow
def test_what_becomes_of_real_actors(tmp_path: Path) -> None:
    """One is ended, one dies, one is started again, one has not told yet that it is ready."""

    @ray.remote(num_cpus=0)
    class Actor:
        def pid(self) -> int:
            return os.getpid()

        def die(self) -> None:
            os._exit(1)

    def signs() -> Mapping[str, Sign]:
        return {"engine-0": Sign(1.0, figures={"requests_running": 2}, tokens=7), "rollout-0": Sign(4)}

    health = Health(tmp_path, lambda: None)
    names = ("engine-0", "learner-0", "learner-1", "reward", "rollout-0", "curriculum", "engine-10", "engine-2")
    with connected(1), health.session():
        found = {name: Actor.options(name=name, max_restarts=-(name == "rollout-0")).remote() for name in names}
        pids = dict(zip(found, ray.get([each.pid.remote() for each in found.values()]), strict=True))
        ray.kill(found["curriculum"])
        for name in ("learner-1", "rollout-0"):
            with pytest.raises(ray.exceptions.RayActorError):
                ray.get(found[name].die.remote())
        again = restarted(found["rollout-0"])
        with health.listening(signs):
            pass  # however short it is, a line of it is kept
        kept = json.loads((tmp_path / "health.jsonl").read_text())["actors"]
        assert kept["engine-0"]["state"] == "alive" and kept["engine-0"]["rss_gb"] > 0.02
        actors = {each["name"]: each for each in read(tmp_path)["actors"]}
        engines = ["engine-0", "engine-2", "engine-10"]
        order = ["controller", "curriculum", *engines, "learner-0", "learner-1", "reward", "rollout-0"]
        assert list(actors) == order
        assert {name: each["state"] for name, each in actors.items()} == {
            "controller": "alive",
            "engine-0": "alive",
            "engine-2": "starting",
            "engine-10": "starting",
            "learner-0": "starting",
            "learner-1": "dead",
            "reward": "alive",
            "rollout-0": "alive",
            "curriculum": "stopped",
        }
        assert actors["engine-0"]["pid"] == pids["engine-0"] and actors["engine-0"]["requests_running"] == 2
        assert (actors["rollout-0"]["restarts"], actors["rollout-0"]["pid"]) == (1, again)
        assert actors["reward"]["restarts"] == 0 and actors["reward"]["heard_s"] is None
        assert actors["engine-0"]["rss_gb"] > 0.02 and actors["learner-1"]["rss_gb"] is None
        assert actors["engine-0"]["heard_s"] >= 0.0 and actors["engine-0"]["node"]
    health.write(ended=True)  # without a session the last state stays, and what lived has ended with it
    states = {each["name"]: each["state"] for each in read(tmp_path)["actors"][1:]}
    assert states == dict.fromkeys(names, "stopped") | {"learner-1": "dead"}
    assert {each["rss_gb"] for each in read(tmp_path)["actors"][1:]} == {None}
