"""The medical retriever on one core: how its BM25 compares with rank_bm25, how fast a search is, what it finds by name.

    OPENBLAS_NUM_THREADS=1 taskset -c 0 python benchmarks/retriever.py KNOWLEDGE [--queries 1000] [--names 200]

KNOWLEDGE is a folder that `kisa.knowledge.build_knowledge` wrote. The last line is `ratio` and how many times as many
queries a second our BM25 takes as rank_bm25 does, one after the other in the same process. Beside the time that passed
stands the processor's own, as a machine may be busy with other things; the ratio is that of processor times.
"""

import argparse
import asyncio
import random
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from rank_bm25 import BM25Okapi

from envs.corpus import Document
from envs.retrieval.embedding import Encoder, encoder_path
from envs.retrieval.index import Index, bare_name, build_index
from envs.text import content_words, words
from envs.tools.medical_retriever import MedicalRetriever
from medrl.records import read_jsonl
from medrl.sections.knowledge import KnowledgeConfig

FORMS = ("{}", "{} gene", "{} disease", "inheritance of {}", "which findings does {} have")
KINDS = {"disease": ("omim", "orphanet", "decipher"), "gene": ("ncbi_gene",), "finding": ("hpo",)}
TOP = 10
#: Queries of which times are taken; the first few of each step are not counted.
TIMED = 300
_WARM = 10


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("knowledge", type=Path)
    parser.add_argument("--queries", type=int, default=1000, help="that are compared with rank_bm25")
    parser.add_argument("--names", type=int, default=200, help="documents of each kind that are looked for by name")
    arguments = parser.parse_args()
    config = KnowledgeConfig()
    corpus = arguments.knowledge / "corpus.jsonl"
    path = build_index(corpus, Path(config.cache).expanduser(), config.encoder)
    torch.set_num_threads(1)
    index, encoder = Index.open(path), Encoder(encoder_path(config.encoder))
    retriever = MedicalRetriever(index, encoder, config)
    documents = list(read_jsonl(corpus, Document))
    rng = random.Random(0)
    drawn = rng.choices(documents, k=arguments.queries)
    queries = [rng.choice(FORMS).format(bare_name(document)) for document in drawn]
    ours, theirs = compare(index, documents, queries)
    latencies(index, encoder, retriever, queries[:TIMED])
    ranking(retriever, documents, arguments.names)
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB, rank_bm25 included")
    print(f"ratio {theirs / ours:.1f}")


def compare(index: Index, documents: Sequence[Document], queries: Sequence[str]) -> tuple[float, float]:
    """Check scores and the first ten against rank_bm25, all words of a query; return the processor seconds of each.

    rank_bm25 leaves open who is first of documents that score the same: here the one that comes first in the corpus.
    """
    okapi = BM25Okapi([words(document.text) for document in documents])
    same, equal, ours, theirs = 0, 0, 0.0, 0.0
    for query in queries:
        asked = words(query)
        started = time.thread_time()
        expected = okapi.get_scores(asked)
        np.argpartition(expected, -TOP)
        theirs += time.thread_time() - started
        started = time.thread_time()
        found = index.text.top(asked, TOP)
        ours += time.thread_time() - started
        first = np.lexsort((np.arange(expected.size), -expected))[:TOP]
        same += np.array_equal(found, first[expected[first] > 0])
        equal += np.array_equal(index.text.scores(asked), expected)
    mean = np.mean([len(words(query)) for query in queries])
    print(f"{len(documents):,} documents, {len(queries):,} queries of {mean:.1f} words")
    print(f"the first {TOP} as rank_bm25's, order included: {same:,}; all scores equal to the last bit: {equal:,}")
    print(f"queries a second: {len(queries) / ours:,.0f}, rank_bm25 {len(queries) / theirs:,.0f}")
    return ours, theirs


def latencies(index: Index, encoder: Encoder, retriever: MedicalRetriever, queries: Sequence[str]) -> None:
    """p50 and p95 of each step."""
    vectors = dict(zip(queries, encoder.encode(queries), strict=True))
    steps: dict[str, Callable[[str], object]] = {
        "BM25, the first ten": lambda query: index.text.top(words(query), TOP),
        "candidates (BM25 by title and text)": lambda query: index.candidates(content_words(query), 30),
        "nearest by embedding": lambda query: index.nearest(vectors[query], TOP),
        "encoding the query": lambda query: encoder.encode([query]),
        "search": lambda query: retriever.search(query, 3),
    }
    print(f"\n{'step':38}{'p50 ms':>9}{'p95 ms':>9}{'CPU p50':>9}{'CPU p95':>9}")
    for name, run in steps.items():
        _row(name, [_ms(run, query) for query in queries])
    # The retriever remembers the vectors of queries, so the same ones cost no encoding from here on.
    _row("search, the query encoded before", [_ms(steps["search"], query) for query in queries])
    called = [_ms(lambda query: asyncio.run(retriever.call({"query": query})), query) for query in queries]
    _row("tool call, the query encoded before", called)


def _ms(run: Callable[[str], object], query: str) -> tuple[float, float]:
    started, spent = time.perf_counter(), time.thread_time()
    run(query)
    return 1000 * (time.perf_counter() - started), 1000 * (time.thread_time() - spent)


def _row(name: str, taken: list[tuple[float, float]]) -> None:
    cells = np.percentile(taken[_WARM:], [50, 95], axis=0).T.ravel()
    print(f"{name:38}{''.join(f'{each:9.2f}' for each in cells)}", flush=True)


def ranking(retriever: MedicalRetriever, documents: Sequence[Document], count: int) -> None:
    """Share of queries whose document, or one of the same name, is first or among the first three."""
    print(f"\n{'query':36}{'n':>6}{'top-1':>8}{'top-3':>8}")
    for kind, sources in KINDS.items():
        of_kind = [document for document in documents if document.source in sources]
        some = random.Random(0).sample(of_kind, min(count, len(of_kind)))
        for form in FORMS:
            asked = [form.format(bare_name(document)) for document in some]
            retriever.prepare(asked)
            ranks = [_rank(retriever, document, query) for document, query in zip(some, asked, strict=True)]
            first, third = (sum(rank < k for rank in ranks) / len(ranks) for k in (1, 3))
            print(f"{form.format(kind.upper()):36}{len(some):6}{first:8.3f}{third:8.3f}", flush=True)


def _rank(retriever: MedicalRetriever, document: Document, query: str) -> int:
    name = bare_name(document).lower()
    hits = retriever.search(query, 3)
    return next((rank for rank, hit in enumerate(hits) if bare_name(hit.document).lower() == name), 3)


if __name__ == "__main__":
    main()
