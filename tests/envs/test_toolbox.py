"""All tools from one knowledge folder."""

import asyncio
from pathlib import Path

import pytest
import torch
from jsonschema import Draft202012Validator

from envs.corpus import Document
from envs.folders import build_once
from envs.sources.disk import write_disk_index
from envs.toolbox import open_toolbox
from medrl.errors import DataError
from medrl.sections.knowledge import KnowledgeConfig
from tests.misbehaving import MisbehavingServer, answers


def test_the_four_tools_answer(knowledge: Path, cache: Path) -> None:
    threads = torch.get_num_threads()
    tools = open_toolbox(knowledge, KnowledgeConfig(cache=str(cache)))
    assert torch.get_num_threads() == threads
    assert list(tools) == ["medical_retriever", "clinical_reasoning", "document_read", "web_search"]
    calls = {
        "medical_retriever": ({"query": "FBN1"}, "NCBIGene:2200"),
        "clinical_reasoning": ({"findings": ["Pigeon chest", "Spider fingers"]}, "OMIM:154700"),
        "document_read": ({"document": "FBN1", "goal": "diseases"}, "NCBIGene:2200"),
        "web_search": ({"query": "pigeon chest"}, "web:HP:0000768"),
    }
    for name, (arguments, source) in calls.items():
        Draft202012Validator.check_schema(tools[name].parameters)
        result = asyncio.run(tools[name].call(arguments))
        assert result.sources[0] == source and tools[name].name == name and len(tools[name].description) < 80


def test_provider_threads_and_token_count_can_be_given(knowledge: Path, cache: Path) -> None:
    class Provider:
        async def search(self, query: str, k: int) -> list[Document]:
            return [Document("live", query, ("one two three four",), "web", "")] * k

    threads = torch.get_num_threads()
    try:
        tools = open_toolbox(
            knowledge,
            KnowledgeConfig(cache=str(cache), top_k=1, tool_tokens=8),
            provider=Provider(),
            count_tokens=lambda text: len(text.split()),
            threads=1,
        )
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    assert asyncio.run(tools["web_search"].call({"query": "q"})).text == "[1] [untrusted text] q (live): one…"


def test_the_web_is_searched_by_the_provider_that_is_set(knowledge: Path, cache: Path) -> None:
    found = {"results": [{"title": "Live", "url": "https://a.example/", "content": "It is."}]}
    with MisbehavingServer([answers(found)]) as server:
        settings = {"cache": str(cache), "web": {"provider": "searxng", "url": server.url}}
        tools = open_toolbox(knowledge, KnowledgeConfig.model_validate(settings))
        result = asyncio.run(tools["web_search"].call({"query": "pigeon chest"}))
    assert result.text == "[1] [untrusted text] Live (https://a.example/): It is." and result.sources == (
        "https://a.example/",
    )


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"corpus\.jsonl"):
        open_toolbox(tmp_path, KnowledgeConfig(cache=str(tmp_path)))


def test_indexes_on_disk_are_searched_beside_the_ontology(knowledge: Path, cache: Path, tmp_path: Path) -> None:
    article = Document("PMID:5", "Aortic surgery", ("Valve-sparing surgery lasts.",), "pubmed", "", (), ("guideline",))
    folder = build_once(tmp_path / "articles", lambda out: write_disk_index([article], out, None))
    tools = open_toolbox(knowledge, KnowledgeConfig(cache=str(cache), indexes=(str(folder),)))
    result = asyncio.run(tools["medical_retriever"].call({"query": "valve-sparing aortic surgery"}))
    assert result.sources[0] == "PMID:5"
    with pytest.raises(DataError, match="medrl index build"):
        open_toolbox(knowledge, KnowledgeConfig(cache=str(cache), indexes=(str(tmp_path / "none"),)))
