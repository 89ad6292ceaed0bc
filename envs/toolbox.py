"""All tools over one knowledge folder, indexes built or reused."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from envs.embedding import Encoder, Floats, encode_once, encoder_path
from envs.index import Index, build_index
from envs.profiles import ProfileTable, build_profiles
from envs.snippets import CountTokens
from envs.sources.disk import DiskIndex
from envs.text import estimate_tokens
from envs.tools.base import Tool
from envs.tools.clinical_reasoning import ClinicalReasoning, ClinicalReasoningEngine
from envs.tools.document_read import DocumentRead
from envs.tools.medical_retriever import MedicalRetriever
from envs.tools.web_search import LocalProvider, SearchProvider, WebSearch
from medrl.sections.knowledge import KnowledgeConfig


class Signature(NamedTuple):
    """What the system prompt says of a tool."""

    name: str
    description: str
    parameters: Mapping[str, Any]


#: Of the tools that `open_toolbox` opens, in its order; they need no index.
SIGNATURES = tuple(
    Signature(tool.name, tool.description, tool.parameters)
    for tool in (MedicalRetriever, ClinicalReasoning, DocumentRead, WebSearch)
)


def open_toolbox(
    knowledge: Path,
    config: KnowledgeConfig,
    *,
    provider: SearchProvider | None = None,
    count_tokens: CountTokens = estimate_tokens,
    threads: int | None = None,
    expected: Sequence[str] = (),
) -> dict[str, Tool]:
    """The four tools by name. `knowledge` holds corpus.jsonl, web.jsonl, profiles.jsonl and findings.jsonl.

    Indexes are built under `config.cache` the first time (a minute or two) and memory-mapped, so that several processes
    share them. `provider` replaces the local general search. `count_tokens` measures a tool's text against
    `config.tool_tokens`; give the policy's tokenizer for an exact limit. `threads` sets torch's threads for the whole
    process; a rollout worker wants 1. `expected`: queries that the retriever will be asked (`encode_queries`).
    Raises DataError, ConfigError.
    """
    cache = Path(config.cache).expanduser()
    medical = Index.open(build_index(knowledge / "corpus.jsonl", cache, config.encoder))
    general = Index.open(build_index(knowledge / "web.jsonl", cache, None))
    profiles = ProfileTable(build_profiles(knowledge, cache))
    if threads is not None:  # after the indexes, whose building wants all cores
        torch.set_num_threads(threads)
    encoder = Encoder(encoder_path(config.encoder))
    limit = config.tool_tokens
    sources = [DiskIndex.open(Path(each).expanduser(), config.encoder) for each in config.indexes]
    retriever = MedicalRetriever(medical, encoder, config, count_tokens, sources)
    if expected:
        retriever.prepare(expected, encode_queries(expected, config))
    tools: list[Tool] = [
        retriever,
        ClinicalReasoning(ClinicalReasoningEngine(profiles), limit, count_tokens),
        DocumentRead(medical, encoder, limit, count_tokens),
        WebSearch(provider or LocalProvider(general), general.text, config.top_k, limit, count_tokens),
    ]
    return {tool.name: tool for tool in tools}


def build_indexes(knowledge: Path, config: KnowledgeConfig) -> None:
    """What `open_toolbox` opens, built on all cores before several processes open it. Raises DataError, ConfigError."""
    cache = Path(config.cache).expanduser()
    build_index(knowledge / "corpus.jsonl", cache, config.encoder)
    build_index(knowledge / "web.jsonl", cache, None)
    build_profiles(knowledge, cache)


def encode_queries(queries: Sequence[str], config: KnowledgeConfig) -> Floats:
    """Embeddings [queries, dimensions], made together and kept under the cache. Raises ConfigError, DataError."""
    return encode_once(queries, Path(config.cache).expanduser(), config.encoder, "queries")
