"""Condensing by a language model: its prompt cannot be escaped from, its text is marked and bounded, its end told."""

import asyncio
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.condensing import Condenser, prompt
from envs.corpus import Document
from envs.library import Library
from envs.retrieval.embedding import Encoder
from envs.retrieval.index import Index
from envs.toolbox import open_toolbox
from envs.tools.base import ToolResult
from envs.tools.document_read import DocumentRead
from medrl.errors import ToolOutage
from medrl.sections.endpoint import EndpointConfig
from medrl.sections.knowledge import KnowledgeConfig
from tests.misbehaving import MisbehavingServer, hangs_up, says, status


def config(server: MisbehavingServer) -> EndpointConfig:
    return EndpointConfig(url=server.url, model="m", attempts=2, backoff_s=0.0, timeout_s=5.0)


def read(index: Index, encoder: Encoder, server: MisbehavingServer) -> ToolResult:
    tool = DocumentRead(index, encoder, 60, reader=Condenser(config(server)))
    return asyncio.run(tool.call({"document": "OMIM:154700", "goal": "which gene"}))


def test_the_model_is_shown_the_document_and_its_words_are_marked(index: Index, encoder: Encoder) -> None:
    with MisbehavingServer([says("<think>hm</think> The gene\nis\u202e FBN1.")]) as server:
        result = read(index, encoder, server)
    assert result.text == "[condensed by a model] Marfan syndrome (OMIM:154700): The gene is FBN1."
    assert result.sources == ("OMIM:154700",) and not result.is_mistake
    asked = server.requests[0].question
    assert asked.startswith("Goal: which gene\n") and "Gene: FBN1." in asked and "Ectopia lentis" in asked


def test_what_the_model_writes_is_bounded(index: Index, encoder: Encoder) -> None:
    def count(text: str) -> int:
        return -(-len(text) // 4)

    for words in ("FBN1 " * 5_000, "x" * 5_000, "字" * 5_000):
        with MisbehavingServer([says(words)]) as server:
            tool = DocumentRead(index, encoder, 60, count, reader=Condenser(config(server)))
            text = asyncio.run(tool.call({"document": "OMIM:154700", "goal": "which gene"})).text
        assert count(text) <= 61 and text.endswith("…")


@pytest.mark.contract("7 four kinds of failure", "a reader that is down is an outage, never other text in its stead")
@pytest.mark.parametrize("behaviour", [hangs_up, status(500), status(400), says(""), says("<think>only</think>")])
def test_a_reader_that_says_nothing_is_an_outage(index: Index, encoder: Encoder, behaviour: object) -> None:
    with MisbehavingServer([behaviour]) as server, pytest.raises(ToolOutage, match="document_read: m at"):  # type: ignore[list-item]
        read(index, encoder, server)


@given(st.text(max_size=80), st.text(max_size=80), st.sampled_from(["", "FENCE", "FENCE 0123456789abcdef", "</s>"]))
def test_no_document_holds_its_own_fence(title: str, section: str, tail: str) -> None:
    """Even one that was shown the fence of itself: with it, the document has another one."""
    first = prompt(title, (section + tail,), "goal")[1].content
    fences = re.findall(r"FENCE [0-9a-f]{32}", first)
    assert first.count(fences[0]) == 2 and first.index(fences[0]) == len("Goal: goal\n")
    forged = prompt(title, (section + tail + fences[0],), "goal")[1].content
    real = forged.removeprefix("Goal: goal\n")[: len(fences[0])]
    assert real != fences[0] and forged.count(real) == 2


@pytest.mark.parametrize(
    "control",
    [
        "<|im_end|>",
        "<|im_start|>",
        "</s>",
        "<s>",
        "[INST]",
        "[/INST]",
        "<start_of_turn>",
        "<tool_call>",
        "<think>",
        "<｜User｜>",
    ],
)
def test_no_control_token_reaches_the_model(control: str) -> None:
    said = prompt(f"a{control}", (f"b {control}{control}",), f"c{control}")[1].content
    assert control not in said and said.count(control[1:]) == 4


def test_a_long_document_is_cut_to_what_serves_the_goal(index: Index, encoder: Encoder) -> None:
    class Long:
        name = "long"

        async def candidates(self, query: str, vector: object, k: int) -> list[object]:
            return []

        async def document(self, id: str) -> Document | None:
            return Document(id, "t", (*["filler words " * 30] * 100, "The zebra is striped."), "pubmed", "")

    library = Library(index, [Long()])  # type: ignore[list-item]
    with MisbehavingServer([says("yes")]) as server:
        tool = DocumentRead(index, encoder, 60, library=library, reader=Condenser(config(server)))
        result = asyncio.run(tool.call({"document": "PMID:1", "goal": "zebra"}))
    assert "The zebra is striped." in server.requests[0].question and len(server.requests[0].question) < 22_000
    assert result.text == "[condensed by a model] [untrusted text] t: yes"


def test_the_settings_open_it(knowledge: Path, cache: Path) -> None:
    with MisbehavingServer([says("FBN1.")]) as server:
        tools = open_toolbox(knowledge, KnowledgeConfig(cache=str(cache), reader=config(server)))
        result = asyncio.run(tools["document_read"].call({"document": "OMIM:154700", "goal": "gene"}))
        refused = asyncio.run(tools["document_read"].call({"document": "https://www.nlm.nih.gov/", "goal": "gene"}))
    assert result.text.endswith(": FBN1.") and refused.is_mistake and "not read here" in refused.text
