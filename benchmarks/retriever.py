"""How well the medical retriever finds documents by name, and how fast, beside rank_bm25 on the same corpus.

    python benchmarks/retriever.py KNOWLEDGE [--queries 400] [--cache DIR] [--lam 0.4 …]

KNOWLEDGE is a folder that `kisa.knowledge.build_knowledge` wrote. One core (torch threads 1). Nothing else should run.
"""

import argparse
import asyncio
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rank_bm25 import BM25Okapi

from envs.corpus import Document
from envs.embedding import Encoder, encoder_path
from envs.index import Index, bare_name, build_index
from envs.text import words
from envs.tools.medical_retriever import MedicalRetriever
from medrl.records import read_jsonl
from medrl.sections.knowledge import KnowledgeConfig

FORMS = ("{}", "{} gene", "{} disease", "inheritance of {}", "which findings does {} have")
KINDS = {"disease": ("omim", "orphanet", "decipher"), "gene": ("ncbi_gene",), "finding": ("hpo",)}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("knowledge", type=Path)
    parser.add_argument("--queries", type=int, default=400, help="per kind of document")
    parser.add_argument("--cache", default=KnowledgeConfig().cache)
    parser.add_argument("--lam", type=float, nargs="*", default=[0.4])
    arguments = parser.parse_args()
    config = KnowledgeConfig(cache=arguments.cache)
    started = time.perf_counter()
    corpus = arguments.knowledge / "corpus.jsonl"
    path = build_index(corpus, Path(config.cache).expanduser(), config.encoder)
    print(f"index built or reused in {time.perf_counter() - started:.1f} s, {torch.get_num_threads()} threads")
    torch.set_num_threads(1)
    started = time.perf_counter()
    index = Index.open(path)
    retriever = MedicalRetriever(index, Encoder(encoder_path(config.encoder)), config)
    print(f"{len(index)} documents opened in {time.perf_counter() - started:.1f} s")
    documents = list(read_jsonl(corpus, Document))
    chosen = {
        kind: random.Random(0).sample(found, min(arguments.queries, len(found)))
        for kind, sources in KINDS.items()
        if (found := [document for document in documents if document.source in sources])
    }
    for lam in arguments.lam:
        ranking(retriever, chosen, lam)
    speed(retriever, index, documents, [each for some in chosen.values() for each in some])
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB, rank_bm25 included")


def ranking(retriever: MedicalRetriever, chosen: dict[str, list[Document]], lam: float) -> None:
    """Share of queries whose document, or one of the same name, is first or among the first three."""
    print(f"\nranking at λ = {lam}\n{'query':36}{'n':>6}{'top-1':>8}{'top-3':>8}")
    for kind, some in chosen.items():
        for form in FORMS:
            ranks = [_rank(retriever, document, form, lam) for document in some]
            first, third = (sum(rank < k for rank in ranks) / len(ranks) for k in (1, 3))
            print(f"{form.format(kind.upper()):36}{len(some):6}{first:8.3f}{third:8.3f}")


def _rank(retriever: MedicalRetriever, document: Document, form: str, lam: float) -> int:
    name = bare_name(document)
    hits = retriever.search(form.format(name), 3, lam)
    return next((rank for rank, hit in enumerate(hits) if bare_name(hit.document).lower() == name.lower()), 3)


def speed(retriever: MedicalRetriever, index: Index, documents: list[Document], some: list[Document]) -> None:
    """Latency of each step, and its ratio to rank_bm25 measured in the same run."""
    okapi = BM25Okapi([words(document.text) for document in documents])
    queries = [f"{bare_name(document)} gene" for document in random.Random(1).sample(some, min(300, len(some)))]
    steps: dict[str, Callable[[str], object]] = {
        "rank_bm25, top 30": lambda query: np.argsort(okapi.get_scores(words(query)))[-30:],
        "BM25, top 30": lambda query: index.text.top(words(query), 30),
        "search (BM25, embeddings, Score)": lambda query: retriever.search(query, 3),
        "tool call (search, snippets)": lambda query: asyncio.run(retriever.call({"query": query})),
    }
    print(f"\n{'step':36}{'p50 ms':>9}{'p95 ms':>9}{'times faster':>14}")
    base = 0.0
    for name, run in steps.items():
        used = queries if base else queries[:60]
        taken = [_seconds(run, query) for query in used]
        middle, high = np.percentile(taken[5:], [50, 95])
        base = base or middle
        print(f"{name:36}{1000 * middle:9.2f}{1000 * high:9.2f}{base / middle:14.1f}")


def _seconds(run: Callable[[str], object], query: str) -> float:
    started = time.perf_counter()
    run(query)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
