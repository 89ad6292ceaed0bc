"""Build the knowledge folder once: documents for the two indexes, disease profiles, corpus frequencies.

    <cache>/knowledge-<hash>/corpus.jsonl      what the medical retriever searches
                             web.jsonl         what the web search searches
                             profiles.jsonl    P(finding | disease) for the reasoning engine
                             findings.jsonl    the names that a finding may be given by, and what it is a kind of
                             frequencies.json  how many documents name each entity

The hash covers the ontology's bytes, the prevalences and the source of everything that builds from them, so a folder is
never stale.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from envs.folders import build_once
from kisa.build import build_graph
from kisa.documents import finding_names, medical_documents, profiles, web_documents
from kisa.entities import CorpusFrequency, count_mentions
from kisa.graph import KnowledgeGraph
from kisa.sources.hpo import content_hash, locate, read_ontology
from kisa.sources.prevalence import read_prevalence
from medrl.errors import DataError
from medrl.progress import Progress
from medrl.records import write_json, write_jsonl
from medrl.sections.knowledge import KnowledgeConfig
from medrl.versions import source_digest

_BUILDERS = (
    "envs.corpus",
    *map(
        "kisa.{}".format,
        "build counting documents entities frequency graph knowledge mentions names specialties sources.hpo "
        "sources.prevalence sources.text_lines".split(),
    ),
)


def load_graph(config: KnowledgeConfig, *, context: bool = True) -> KnowledgeGraph:
    """Read the ontology and build its graph, about ten seconds. `context`: `kisa.context`. Raises DataError."""
    graph = build_graph(read_ontology(locate(config.ontology)))
    return graph if context else graph.without_context()


def knowledge_path(config: KnowledgeConfig) -> Path:
    """Where the knowledge folder of this ontology and this builder is, or will be. Raises DataError."""
    made_of = f"{content_hash(locate(config.ontology))} {source_digest(*_BUILDERS)}"
    digest = hashlib.blake2b(made_of.encode(), digest_size=6)
    if config.prevalence:
        digest.update(repr(sorted(read_prevalence(Path(config.prevalence).expanduser()).items())).encode())
    return Path(config.cache).expanduser() / f"knowledge-{digest.hexdigest()}"


def build_knowledge(config: KnowledgeConfig, graph: KnowledgeGraph | None = None) -> Path:
    """Write the knowledge folder, or return the finished one. `graph`: the ontology's, if it is already loaded.

    Atomic: the folder appears whole or not at all. Raises DataError.
    """
    return build_once(knowledge_path(config), lambda folder: _write(folder, graph, config))


def _write(folder: Path, graph: KnowledgeGraph | None, config: KnowledgeConfig) -> None:
    with Progress("knowledge", 6, "step", brief=True) as progress:

        def step(run: Callable[[], Any]) -> Any:
            result = run()
            progress.advance()
            return result

        whole: KnowledgeGraph = step(lambda: graph or load_graph(config))
        documents = list(medical_documents(whole))
        step(lambda: write_jsonl(folder / "corpus.jsonl", documents))
        step(lambda: write_jsonl(folder / "web.jsonl", web_documents(whole)))
        prevalence = known_prevalence(whole, config)
        step(lambda: write_jsonl(folder / "profiles.jsonl", profiles(whole, prevalence)))
        step(lambda: write_jsonl(folder / "findings.jsonl", finding_names(whole)))
        frequency = step(lambda: count_mentions(whole, documents))
        write_frequencies(folder / "frequencies.json", frequency)


def known_prevalence(graph: KnowledgeGraph, config: KnowledgeConfig) -> dict[str, str]:
    """Prevalence classes by disease id from `knowledge.prevalence`; empty if it is null.

    Raises DataError if the file has no disease of the ontology: its ids are of another kind, then.
    """
    if not config.prevalence:
        return {}
    path = Path(config.prevalence).expanduser()
    found = read_prevalence(path)
    known = {each for disease in graph.of_kind("disease") for each in (disease.id, *graph.facts[disease.id].merged)}
    if known.isdisjoint(found):
        raise DataError(f"{path}: none of its {len(found)} diseases is in the ontology; write ids as in ORPHA:558")
    return found


def load_frequencies(folder: Path, counted: str | None = None) -> CorpusFrequency:
    """Read frequencies.json of a knowledge folder, or `counted`, a file that `medrl count` wrote. Raises DataError."""
    path = Path(counted).expanduser() if counted else folder / "frequencies.json"
    try:
        return TypeAdapter(CorpusFrequency).validate_python(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        mend = (
            "set knowledge.frequencies to a file that `medrl count` wrote"
            if counted
            else f"delete {folder} to build it again"
        )
        raise DataError(f"{path}: unreadable ({error.__class__.__name__}); {mend}") from error


def write_frequencies(path: Path, frequency: CorpusFrequency) -> None:
    """Write what `load_frequencies` reads, atomically."""
    write_json(path, {"documents": frequency.documents, "mentions": frequency.mentions})
