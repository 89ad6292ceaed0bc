"""Which agents share engines, and that engines which failed are nobody's any more."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from launch.benchmarks.agents import Agent
from launch.benchmarks.engines import Engines
from medrl.config import parse
from medrl.errors import Stalled
from tests.launch.benchmarks.no_engines import in_place_of_engines

BASE, SFT, OTHER = (Path("/models") / name for name in ("base", "sft", "other"))
AGENTS = {
    "base": Agent("base", BASE, is_checkpoint=True),
    "sft": Agent("sft", SFT, is_checkpoint=True),
    "other": Agent("other", OTHER),
}


class FakePlayers:
    """Notes what is done with it; as its own pool, too."""

    def __init__(self, notes: list[str]) -> None:
        self._notes, self.pool = notes, self

    def load(self, model: Path) -> None:
        self._notes.append(f"load {model.name}")


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was started, loaded and ended. `other` cannot be started."""
    noted: list[str] = []

    @contextmanager
    def start_players(config: object, model: Path, *arguments: object, **named: object) -> Iterator[Any]:
        if model == OTHER:
            raise Stalled("engine-0 did not start in 1 s")
        noted.append(f"start {model.name}")
        yield FakePlayers(noted)
        noted.append(f"end {model.name}")

    in_place_of_engines(monkeypatch, start_players)
    return noted


def hold(started: Engines, name: str, error: Exception | None = None) -> None:
    agent = AGENTS[name]
    assert isinstance(agent.model, Path)
    with started.holding(agent, agent.model):
        if error is not None:
            raise error


def opened(tmp_path: Path) -> Engines:
    config = parse({"name": "x", "env": {"tool_hint": False}}, "test")
    return Engines(config, BASE, tmp_path)


def test_checkpoints_of_the_run_take_turns_on_the_same_engines(tmp_path: Path, notes: list[str]) -> None:
    with opened(tmp_path) as started:
        for name in ("base", "sft", "sft"):
            hold(started, name)
    assert notes == ["start base", "load sft", "end base"]


def test_after_a_failure_the_next_agent_gets_new_engines(tmp_path: Path, notes: list[str]) -> None:
    with opened(tmp_path) as started:
        with pytest.raises(Stalled):
            hold(started, "base", Stalled("no episode finished in 1 s"))
        assert notes == ["start base", "end base"]
        hold(started, "sft")
    assert notes[2:] == ["start base", "load sft", "end base"]


def test_engines_that_were_ended_for_others_that_do_not_start_are_not_taken_for_running(
    tmp_path: Path, notes: list[str]
) -> None:
    with opened(tmp_path) as started:
        hold(started, "base")
        with pytest.raises(Stalled, match="did not start"):
            hold(started, "other")
        hold(started, "base")
    assert notes == ["start base", "end base", "start base", "end base"]
