"""Who is meant by what stands on the command line."""

from pathlib import Path

import pytest

from launch.benchmarks.agents import TOOLS, find_agents, tool_set
from launch.rundir import RunDirectory
from medrl.config import Config, parse
from medrl.errors import ConfigError
from medrl.sections.endpoint import EndpointConfig
from tests.tiny import save_tiny

REMOTE = {"url": "http://127.0.0.1:1/v1", "model": "Qwen/Qwen3-8B", "key_variable": "SOME_KEY"}


def config(folder: Path) -> Config:
    return parse({"name": "x", "run_dir": str(folder / "run"), "eval": {"models": [REMOTE]}}, "test")


def test_tool_sets_name_what_the_prompt_names() -> None:
    assert tool_set("all").tools == TOOLS and tool_set("all").play is None
    assert tool_set("none").tools == tool_set("none").play == ()
    assert "Tools:" not in tool_set("none").prompt
    some = tool_set("web_search, medical_retriever")
    assert (some.name, some.tools) == ("medical_retriever+web_search", ("medical_retriever", "web_search"))
    assert [name in some.prompt for name in TOOLS] == [name in some.tools for name in TOOLS]
    assert tool_set(",".join(reversed(TOOLS))) == tool_set("all")
    with pytest.raises(ConfigError, match="no tool 'nope': give all, none, or some of medical_retriever,"):
        tool_set("nope")


def test_the_default_is_what_the_run_has_made(tmp_path: Path) -> None:
    with RunDirectory(config(tmp_path)) as run_dir:
        base = tmp_path / "base"
        assert [(agent.name, agent.model) for agent in find_agents([], config(tmp_path), run_dir, base)] == [
            ("base", base)
        ]
        with pytest.raises(ConfigError, match="--agent rl: .* has no such checkpoint yet; `medrl train` makes it"):
            find_agents(["rl"], config(tmp_path), run_dir, base)
        with run_dir.stage("sft"):
            pass
        found = find_agents([], config(tmp_path), run_dir, base)
        assert [(agent.name, agent.model) for agent in found] == [("sft", run_dir.path / "checkpoints" / "sft")]


def test_endpoints_by_name_and_by_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config(tmp_path)
    with RunDirectory(settings) as run_dir:
        with pytest.raises(ConfigError, match="wants a key: put it into the environment as SOME_KEY"):
            find_agents(["Qwen/Qwen3-8B"], settings, run_dir, tmp_path)
        monkeypatch.setenv("SOME_KEY", "k")
        (named,) = find_agents(["Qwen/Qwen3-8B"], settings, run_dir, tmp_path)
        assert named.name == "Qwen-Qwen3-8B" and named.model == settings.eval.models[0]
        (by_address,) = find_agents(["http://127.0.0.1:1/v1#../../m"], settings, run_dir, tmp_path)
        assert by_address.name == "m"  # no folder outside of the run's
        assert isinstance(by_address.model, EndpointConfig) and by_address.model.model == "../../m"
        with pytest.raises(ConfigError, match="two agents are called m"):
            find_agents(["http://127.0.0.1:1/v1#m", "http://127.0.0.1:2/v1#m"], settings, run_dir, tmp_path)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("http://127.0.0.1:1/v1", "write it as URL#MODEL"),
        ("http://somebody:secret@127.0.0.1/v1#m", "holds a user name or password"),
        ("nobody", "neither base, sft, rl nor a folder"),
    ],
)
def test_who_is_nobody_is_said_without_secrets(tmp_path: Path, asked: str, said: str) -> None:
    with RunDirectory(config(tmp_path)) as run_dir, pytest.raises(ConfigError, match=said) as refused:
        find_agents([asked], config(tmp_path), run_dir, tmp_path)
    assert "secret" not in str(refused.value) and "\n" not in str(refused.value)


def test_weights_are_told_apart_and_a_copy_is_the_same(tmp_path: Path) -> None:
    with RunDirectory(config(tmp_path)) as run_dir:
        folders = [save_tiny(tmp_path / name, seed) for name, seed in (("a", 0), ("b", 1), ("c", 0))]
        agents = find_agents(list(map(str, folders)), config(tmp_path), run_dir, tmp_path)
        first, second, copy = (agent.about() for agent in agents)
        assert first == copy != second
        with pytest.raises(ConfigError, match="config.json is missing"):
            find_agents([str(tmp_path)], config(tmp_path), run_dir, tmp_path)
