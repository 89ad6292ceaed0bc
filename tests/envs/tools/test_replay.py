"""A recorded tool answers as the tool did, calls it once, and in a replay not at all."""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.corpus import Document
from envs.folders import build_once
from envs.react import ReactEnv, run_episode
from envs.sources.disk import write_disk_index
from envs.store import Memory
from envs.toolbox import answers_version, open_toolbox
from envs.tools.base import Tool, ToolResult
from envs.tools.replay import Recorded, canonical, recorded
from medrl.chat import ChatCodec, render_answer, render_call
from medrl.errors import DataError, NotRecorded, ToolOutage
from medrl.records import to_jsonl
from medrl.sections.endpoint import EndpointConfig
from medrl.sections.episodes import EnvConfig
from medrl.sections.knowledge import KnowledgeConfig
from medrl.sections.recording import RecordingConfig
from medrl.types import Rollout, Sampling, ToolCall
from tests.fakes import FakeTool, ScriptedGenerate, question
from tests.tiny import tiny_tokenizer

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text(max_size=4), VALUES, max_size=4)


class Echo(FakeTool):
    """Says what it was asked, to the letter; counts its calls."""

    def __init__(self) -> None:
        super().__init__({}, "echo")
        self.calls = 0

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        self.calls += 1
        await asyncio.sleep(0)
        if arguments.get("query") == "down":
            raise ToolOutage("echo: connection refused")
        return ToolResult(repr(sorted(arguments.items())), ("doc",), is_mistake=not arguments)


def ask(tool: Tool, *asked: Mapping[str, Any]) -> list[ToolResult]:
    async def all_at_once() -> list[ToolResult]:
        return await asyncio.gather(*map(tool.call, asked))

    return asyncio.run(all_at_once())


@given(st.lists(ARGUMENTS, min_size=1, max_size=6))
def test_it_answers_as_the_tool_does(asked: list[dict[str, Any]]) -> None:
    """At once or one after the other, the first time or again."""
    echo = Echo()
    tool = Recorded(echo, Memory())
    plain = [ask(Echo(), each)[0] for each in asked]
    together = ask(tool, *asked)
    again = [ask(tool, each)[0] for each in asked]
    assert [replace(each, cached=False) for each in together] == plain
    assert again == [replace(each, cached=True) for each in plain]
    different = {canonical(each) for each in asked}
    assert echo.calls == len(different) == sum(not each.cached for each in together)


@given(ARGUMENTS)
def test_the_order_of_keys_is_no_difference(arguments: dict[str, Any]) -> None:
    assert canonical(dict(reversed(arguments.items()))) == canonical(arguments)


def test_values_are_told_apart_and_blanks_within_them() -> None:
    different = [
        *({"query": each} for each in ("a b", "a  b", " a b", "A b", "1", 1, 1.0, True, None, ["a b"])),
        {"query": {"b": 1, "a": 2}},
        {},
    ]
    assert len({canonical(each) for each in different}) == len(different)
    assert canonical({"b": {"d": 1, "c": [1, "é"]}, "a": 2}) == '{"a":2,"b":{"c":[1,"\\u00e9"],"d":1}}'


def test_an_outage_is_told_to_all_and_not_kept() -> None:
    echo = Echo()
    tool = Recorded(echo, Memory())

    async def twice() -> list[Any]:
        return await asyncio.gather(*(tool.call({"query": "down"}) for _ in range(2)), return_exceptions=True)

    assert all(isinstance(each, ToolOutage) for each in asyncio.run(twice())) and echo.calls == 1
    with pytest.raises(ToolOutage):
        ask(tool, {"query": "down"})
    assert echo.calls == 2


def test_who_gives_up_takes_no_one_along() -> None:
    echo = Echo()
    tool = Recorded(echo, Memory())

    async def cancelled() -> ToolResult:
        first = asyncio.create_task(tool.call({"query": "a"}))
        second = asyncio.create_task(tool.call({"query": "a"}))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(cancelled()).text == "[('query', 'a')]" and echo.calls == 1


def test_an_outage_that_no_one_waits_for_is_no_noise() -> None:
    tool = Recorded(Echo(), Memory())
    said: list[Any] = []

    async def abandoned() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
        caller = asyncio.create_task(tool.call({"query": "down"}))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.sleep(0.01)

    asyncio.run(abandoned())
    assert said == []


def recording(path: Path, mode: str, **changes: Any) -> RecordingConfig:
    return RecordingConfig.model_validate({"mode": mode, "path": str(path), **changes})


def test_a_replay_makes_no_call(tmp_path: Path) -> None:
    path, echo = tmp_path / "answers.sqlite", Echo()
    with pytest.raises(DataError, match="nothing was recorded"):
        recorded({"echo": echo}, recording(path, "replay"), lambda: "v1")
    made = ask(recorded({"echo": echo}, recording(path, "cache"), lambda: "v1")["echo"], {"query": "a"}, {})
    assert [each.cached for each in made] == [False, False]
    replayed = recorded({"echo": echo}, recording(path, "replay"), lambda: "v1")["echo"]
    assert ask(replayed, {"query": "a"}, {}) == [replace(each, cached=True) for each in made]
    with pytest.raises(NotRecorded, match=r'no answer to {"query":"b"} of version v1 .*mode=cache'):
        ask(replayed, {"query": "b"})
    with pytest.raises(NotRecorded, match="version v2"):
        ask(recorded({"echo": echo}, recording(path, "replay"), lambda: "v2")["echo"], {"query": "a"})
    assert echo.calls == 2
    assert recorded({"echo": echo}, recording(path, "off"), lambda: "v1") == {"echo": echo}


TURNS = [
    *(
        render_call("look", ToolCall(name, arguments))
        for name, arguments in (
            ("medical_retriever", {"query": "ectopia lentis seen in"}),
            ("document_read", {"document": "Marfan syndrom", "goal": "gene"}),
            ("document_read", {"goal": "gene", "document": "Marfan syndrome"}),
            ("clinical_reasoning", {"findings": ["Pigeon chest", "Spider fingers"]}),
            ("web_search", {"query": "pigeon chest"}),
        )
    ),
    render_answer("done", "FBN1"),
]


def play(tools: Mapping[str, Tool]) -> Rollout:
    codec = ChatCodec(tiny_tokenizer())
    limits = EnvConfig(max_turns=8, max_turn_tokens=300, observation_tokens=400)
    env = ReactEnv(question(), tools, codec, limits, 8000)
    return asyncio.run(run_episode(env, ScriptedGenerate(codec, TURNS), Sampling(1.0, 300, seed=7), "r"))


def comparable(rollout: Rollout) -> str:
    """All of an episode but the clock's readings and where the answers came from."""
    steps = [replace(step, latency_s=0.0, cached=False) for step in rollout.steps]
    return to_jsonl([replace(rollout, steps=steps, duration_s=0.0, generate_s=0.0, tools_s=0.0)])


@pytest.mark.contract("16 replay", "an episode replayed from its recorded calls is the same to the byte")
def test_a_replayed_episode_is_the_recorded_one(
    knowledge: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = KnowledgeConfig(cache=str(cache))
    path = tmp_path / "answers.sqlite"
    plain = play(open_toolbox(knowledge, config))
    first = play(open_toolbox(knowledge, config.model_copy(update={"recording": recording(path, "cache")})))
    replaying = open_toolbox(knowledge, config.model_copy(update={"recording": recording(path, "replay")}))
    for name in ("MedicalRetriever", "DocumentRead", "ClinicalReasoning", "WebSearch"):
        monkeypatch.delattr(f"envs.toolbox.{name}.call")
    replayed = play(replaying)
    assert comparable(plain) == comparable(first) == comparable(replayed)
    assert [step.status for step in replayed.steps] == ["ok", "mistake", "ok", "ok", "ok", "answer"]
    assert not any(step.cached for step in (*plain.steps, *first.steps))
    assert [step.cached for step in replayed.steps] == [True] * 5 + [False]


def test_the_version_is_of_documents_settings_and_code(knowledge: Path, tmp_path: Path) -> None:
    config = KnowledgeConfig()

    def version(built: list[Path] | None = None, **changes: Any) -> str:
        return answers_version(built or [Path("a/index-1"), Path("a/index-2")], config.model_copy(update=changes))

    same = version()
    elsewhere = [Path("b/index-1"), Path("b/index-2")]
    assert version(elsewhere, cache="b", recording=recording(tmp_path / "x", "replay", most_mb=1)) == same
    reader = EndpointConfig(url="http://127.0.0.1:8000/v1", model="reader")
    patient = reader.model_copy(update={"timeout_s": 300.0, "attempts": 9, "url": "http://127.0.0.1:9000/v1"})
    assert version(reader=patient) == version(reader=reader)
    different = [
        version(reader=reader),
        version(reader=reader.model_copy(update={"model": "other"})),
        version([Path("a/index-1"), Path("a/index-3")]),
        *(version(**{name: value}) for name, value in (("lam", 0.5), ("top_k", 4), ("tool_tokens", 9))),
        version(encoder="other"),
        version(recording=recording(tmp_path, "cache", version="2026-11")),
    ]
    assert len({same, *different}) == len(different) + 1
    named = recording(tmp_path, "cache", version="2026-11")
    assert version([Path("a/index-3")], recording=named) == version(recording=named) == different[-1]
    assert version(recording=named, top_k=4) != different[-1] and different[-1].startswith("2026-11-")


def test_the_version_is_of_what_named_files_hold(tmp_path: Path) -> None:
    """The same path with other contents is another version; a version that the user names stands for contents too."""
    article = Document("PMID:5", "Aortic surgery", ("It lasts.",), "pubmed", "")
    index, journals, book = tmp_path / "index", tmp_path / "journals.tsv", tmp_path / "book"
    settings = {
        "indexes": (str(index),),
        "journals": str(journals),
        "sources": ("orange_book",),
        "orange_book": str(book),
    }
    config = KnowledgeConfig.model_validate(settings)
    named = config.model_copy(update={"recording": recording(tmp_path, "cache", version="2026-11")})

    def write(title: str = "Aortic surgery", impact: int = 3, products: str = "products") -> tuple[str, str]:
        shutil.rmtree(index, ignore_errors=True)
        build_once(index, lambda out: write_disk_index([replace(article, title=title)], out, None))
        journals.write_text(f"Lancet\t{impact}\n")
        book.mkdir(exist_ok=True)
        for name, text in (("products", products), ("patent", "p"), ("exclusivity", "e")):
            (book / f"{name}.txt").write_text(text)
        return answers_version([Path("i")], config), answers_version([Path("i")], named)

    first, second = write(), write()
    others = [write(title="Other surgery"), write(impact=4), write(products="other")]
    assert first == second and len({first[0], *(each for each, _ in others)}) == 4
    assert {each for _, each in (first, *others)} == {first[1]}
