"""All tools over one knowledge folder, indexes built or reused."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from envs.condensing import Condenser
from envs.library import Library
from envs.profiles import ProfileTable, build_profiles
from envs.reading.pages import Pages
from envs.reasoning.engine import ClinicalReasoningEngine
from envs.retrieval.embedding import Encoder, Floats, encode_once, encoder_path
from envs.retrieval.index import Index, build_index
from envs.retrieval.journals import Journals
from envs.search.opening import open_provider
from envs.snippets import CountTokens
from envs.sources.disk import DiskIndex, read_about
from envs.sources.opening import open_sources
from envs.sources.orange_book import contents_digest
from envs.text import estimate_tokens
from envs.tools.base import Tool
from envs.tools.clinical_reasoning import ClinicalReasoning
from envs.tools.document_read import DocumentRead
from envs.tools.medical_retriever import MedicalRetriever
from envs.tools.replay import recorded
from envs.tools.selector import MedicalVocabulary
from envs.tools.web_search import SearchProvider, WebSearch
from medrl.errors import ConfigError
from medrl.sections.endpoint import ASKING
from medrl.sections.knowledge import KnowledgeConfig
from medrl.versions import source_digest


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
    share them. `provider` replaces the one that `config.web` names. `count_tokens` measures a tool's text against
    `config.tool_tokens`; give the policy's tokenizer for an exact limit. `threads` sets torch's threads for the whole
    process; a rollout worker wants 1. `expected`: queries that the retriever will be asked (`encode_queries`).
    Raises DataError, ConfigError.
    """
    built = build_indexes(knowledge, config)
    medical, general, profiles = _open_index(built[0]), Index.open(built[1]), ProfileTable(built[2])
    if threads is not None:  # after the indexes, whose building wants all cores
        torch.set_num_threads(threads)
    encoder = Encoder(encoder_path(config.encoder))
    limit = config.tool_tokens
    disks = [DiskIndex.open(Path(each).expanduser(), config.encoder) for each in config.indexes]
    sources = [*disks, *open_sources(config)]
    library = Library(medical, sources)
    retriever = MedicalRetriever(medical, encoder, config, count_tokens, sources)
    if expected:
        retriever.prepare(expected, encode_queries(expected, config))
    tools: list[Tool] = [
        retriever,
        ClinicalReasoning(ClinicalReasoningEngine(profiles), limit, count_tokens, library=library),
        DocumentRead(
            medical,
            encoder,
            limit,
            count_tokens,
            library=library,
            pages=Pages(config.pages) if config.read_web else None,
            reader=Condenser(config.reader) if config.reader else None,
        ),
        WebSearch(provider or open_provider(config, general), general.text, config.top_k, limit, count_tokens),
    ]
    version = partial(answers_version, built, config)
    return recorded({tool.name: tool for tool in tools}, config.recording, version)


def subset(tools: Mapping[str, Tool], names: Sequence[str]) -> dict[str, Tool]:
    """Those of `tools` that `names` names, in the order of `tools`. Raises ConfigError for one that there is not."""
    if strange := [name for name in names if name not in tools]:
        raise ConfigError(f"there is no tool {strange[0]!r}: {', '.join(tools)}")
    return {name: tool for name, tool in tools.items() if name in names}


def open_vocabulary(knowledge: Path, config: KnowledgeConfig) -> MedicalVocabulary:
    """Of the medical documents, on the index that the tools have open. Raises DataError, ConfigError."""
    cache = Path(config.cache).expanduser()
    return MedicalVocabulary(_open_index(build_index(knowledge / "corpus.jsonl", cache, config.encoder)))


#: One open index in a process: its table of names is the largest thing that it holds.
_open_index = lru_cache(maxsize=1)(Index.open)


def build_indexes(knowledge: Path, config: KnowledgeConfig) -> tuple[Path, Path, Path]:
    """What `open_toolbox` opens, built on all cores before several processes open it: the medical index, the general
    one, the profiles. Raises DataError, ConfigError."""
    cache = Path(config.cache).expanduser()
    return (
        build_index(knowledge / "corpus.jsonl", cache, config.encoder),
        build_index(knowledge / "web.jsonl", cache, None),
        build_profiles(knowledge, cache),
    )


#: Settings that no answer depends on.
_NO_ANSWERS: Any = {
    **dict.fromkeys(("ontology", "cache", "frequencies", "network", "recording"), True),
    "reader": ASKING,
}


def answers_version(built: Sequence[Path], config: KnowledgeConfig) -> str:
    """The version of what the tools answer: a hash of all that their answers depend on.

    `built`: of `build_indexes`; the folders are named by what is in them. `knowledge.recording.version` stands for
    them, for the files that settings name and for the code, so that a recording can be played where the encoder
    computes in another precision; settings count in any case. A `provider` and a `count_tokens` of the caller's are not
    seen here: name a version with them. Raises DataError.
    """
    named = config.recording.version
    parts = {
        "of": [source_digest("envs"), *(folder.name for folder in built), *_contents(config)]
        if named is None
        else named,
        "settings": config.model_dump(exclude=_NO_ANSWERS),
    }
    digest = hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()
    return digest if named is None else f"{named}-{digest}"


def _contents(config: KnowledgeConfig) -> list[str]:
    """Hashes of what is in the folders and files that settings name by their place alone. Raises DataError."""
    found = [read_about(Path(each).expanduser()).digest for each in config.indexes]
    if "orange_book" in config.sources and config.orange_book:
        found.append(contents_digest(Path(config.orange_book).expanduser()))
    if config.journals:
        found.append(Journals.read(Path(config.journals).expanduser()).digest)
    return found


def encode_queries(queries: Sequence[str], config: KnowledgeConfig) -> Floats:
    """Embeddings [queries, dimensions], made together and kept under the cache. Raises ConfigError, DataError."""
    return encode_once(queries, Path(config.cache).expanduser(), config.encoder, "queries")
