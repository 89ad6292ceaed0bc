"""Models behind endpoints play benchmarks: by the same rules, and an outage is never a wrong answer."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from envs.tools.base import ToolResult
from launch.benchmarks import endpoints
from launch.benchmarks.agents import TOOLS, tool_set
from launch.benchmarks.endpoints import Endpoints
from launch.benchmarks.episode import Episode
from launch.benchmarks.results import Results
from medrl.chat import render_answer, render_call
from medrl.config import Config, parse
from medrl.errors import ConfigError, InfrastructureError
from medrl.matching import Verdict
from medrl.sections.endpoint import EndpointConfig
from medrl.types import ToolCall
from tests.fakes import FakeTool
from tests.launch.benchmarks.kept import ITEMS
from tests.misbehaving import Asked, Behaviour, MisbehavingServer, hangs_up, says, status
from tests.tiny import save_tiny

CONFIG = {
    "name": "x",
    "model": {"max_length": 3000},
    "env": {"max_turn_tokens": 200, "observation_tokens": 100},
    "rollout": {"attempts": 2},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny")


@contextmanager
def playing(
    folder: Path, model: Path, behave: Callable[[Asked], Behaviour], monkeypatch: pytest.MonkeyPatch, tools: str = "all"
) -> Iterator[tuple[MisbehavingServer, Results, Callable[[], list[str]]]]:
    names = tool_set("all").tools
    fakes = {name: FakeTool({"gene": "see GEN1"}, name) for name in names}
    monkeypatch.setattr(endpoints, "open_toolbox", lambda knowledge, config: fakes)
    config: Config = parse(CONFIG, "test")
    with MisbehavingServer(behave) as server, Results(folder / "m", {}, ITEMS) as results:
        asked = EndpointConfig(url=server.url, model="m", timeout_s=2.0, attempts=2, backoff_s=0.0, concurrency=3)

        def play() -> list[str]:
            left = [Episode(item, sample, tool_set(tools), results) for item, sample in results.missing(1)]
            return Endpoints(config, model, folder).play(asked, left, 0.25, lambda: None)

        yield server, results, play


def number(asked: Asked) -> int:
    return int(asked.body["messages"][1]["content"].rstrip("?").rpartition(" ")[2])


def looks_then_answers(asked: Asked) -> Behaviour:
    if len(asked.body["messages"]) == 2:
        return says(render_call("look", ToolCall("medical_retriever", {"query": "gene"})))
    return says(render_answer("so", f"GEN{number(asked)}"))


def test_every_item_is_played_once_by_the_environment_s_rules(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with playing(tmp_path, model, looks_then_answers, monkeypatch) as (server, results, play):
        assert play() == []
        assert len(server.requests) == 2 * len(ITEMS)
        assert {asked.body["temperature"] for asked in server.requests} == {0.25}
        last = next(each.body["messages"] for each in server.requests if len(each.body["messages"]) == 4)
        assert last[3]["content"] == "<tool_response>see GEN1</tool_response>"
        for line in results.scored(1):
            item = next(item for item in ITEMS if item.id == line.item_id)
            assert (line.verdict is Verdict.CORRECT) == (not item.is_na)
            assert line.tool_calls == {"medical_retriever": 1} and line.ending == "answered"
        assert not results.missing(1)


@pytest.mark.parametrize("tools", ["none", "web_search"])
def test_an_agent_has_the_tools_that_it_is_told_of(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, tools: str
) -> None:
    with playing(tmp_path, model, looks_then_answers, monkeypatch, tools) as (server, _, play):
        assert play() == []
        told = server.requests[0].body["messages"][0]["content"]
        assert [name in told for name in TOOLS] == [name in tool_set(tools).tools for name in TOOLS]
        assert ("<tool_call>" in told) == (tools != "none")
        second = next(each.body["messages"] for each in server.requests if len(each.body["messages"]) == 4)
        assert "There is no tool 'medical_retriever'" in second[3]["content"]


def test_what_an_outage_took_is_not_played_and_the_next_time_goes_on_with_it(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = {1, 4, 7}

    def behave(asked: Asked) -> Behaviour:
        second = len(asked.body["messages"]) == 4
        return status(503) if second and number(asked) in down else looks_then_answers(asked)

    with playing(tmp_path, model, behave, monkeypatch) as (server, results, play):
        failed = play()
        assert len(failed) == 3 and all("HTTP status 503 (2 attempts)" in why for why in failed)
        assert {item.id for item, _ in results.missing(1)} == {"i1", "i4", "i7"}
        assert len(results.scored(1)) == len(ITEMS) - 3  # and no line says that these three are wrong
        down.clear()
        before = len(server.requests)
        assert play() == [] and not results.missing(1)
        assert len(server.requests) == before + 6
        assert len((tmp_path / "m" / "items.jsonl").read_text().splitlines()) == len(ITEMS)


def test_a_tool_that_is_down_is_tried_again_and_then_given_up(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def behave(asked: Asked) -> Behaviour:
        return says(render_call("look", ToolCall("medical_retriever", {"query": "down"})))

    with playing(tmp_path, model, behave, monkeypatch) as (server, results, play):
        failed = play()
        assert len(failed) == len(ITEMS) and "connection refused" in failed[0]
        assert len(server.requests) == 2 * len(ITEMS) and not results.scored(1)


def test_an_endpoint_that_is_down_ends_the_work_in_one_line(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        playing(tmp_path, model, lambda asked: hangs_up, monkeypatch) as (_, results, play),
        pytest.raises(InfrastructureError, match="10 items in a row had no reply") as ended,
    ):
        play()
    assert not results.scored(1) and "\n" not in str(ended.value)


@pytest.mark.parametrize(
    ("code", "said"), [(401, "HTTP status 401; "), (400, "mend model, max_tokens, temperature or url")]
)
def test_an_endpoint_that_refuses_every_request_is_an_outage_of_its_own(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    with playing(tmp_path, model, lambda asked: status(code), monkeypatch) as (server, results, play):
        with pytest.raises(InfrastructureError, match=said):
            play()
        assert len(server.requests) <= 3  # one of each of those that ask at once: it is not tried again
        assert not results.scored(1)


def test_what_a_tool_is_refused_is_no_failure_of_the_agent(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def call(tool: FakeTool, arguments: object) -> ToolResult:
        raise ConfigError("the tool's own model: HTTP status 401")

    monkeypatch.setattr(FakeTool, "call", call)
    with (
        playing(tmp_path, model, looks_then_answers, monkeypatch) as (_, _, play),
        pytest.raises(ConfigError, match="the tool's own model: HTTP status 401"),
    ):
        play()


def test_a_model_that_does_not_keep_to_the_form_has_made_a_mistake(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with playing(tmp_path, model, lambda asked: says("It is GEN1."), monkeypatch) as (_, results, play):
        assert play() == []
        assert {(line.ending, line.verdict) for line in results.scored(1)} == {("no_tool_call", Verdict.UNKNOWN)}


def test_the_key_is_in_no_file(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: Any = None
    with playing(tmp_path, model, looks_then_answers, monkeypatch) as (_, results, play):
        play()
        kept = results
    for path in kept.folder.iterdir():
        assert "Bearer" not in path.read_text()
        assert all(json.loads(line) for line in path.read_text().splitlines() if path.suffix == ".jsonl")
