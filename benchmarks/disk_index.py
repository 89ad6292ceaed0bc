"""A corpus of a million documents on disk: time and memory that its index takes, how fast and how well it finds.

    python benchmarks/disk_index.py build KNOWLEDGE DIR [--documents 1000000]
    OPENBLAS_NUM_THREADS=1 taskset -c 0 python benchmarks/disk_index.py query DIR [--queries 500]

KNOWLEDGE is a folder that `kisa.knowledge.build_knowledge` wrote. Its documents are multiplied: each new one has the
sections of one real document and some of another's, and a name made of both. Its vector is the mean of both documents'
vectors, as encoding a million texts takes an hour on two cores; queries are encoded for real. With `query`, one core,
and beside the time that passed the processor's own, as a machine may be busy with other things.
"""

import argparse
import random
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from envs.corpus import Document
from envs.folders import build_once
from envs.retrieval.embedding import PACKAGED, Encoder, Floats, encoder_path, weights_digest
from envs.retrieval.index import Index, bare_name, build_index
from envs.retrieval.inverted_lists import InvertedLists
from envs.sources.disk import DiskIndex, write_disk_index
from envs.text import content_words
from medrl.sections.knowledge import KnowledgeConfig

FORMS = ("{}", "{} gene", "inheritance of {}", "which findings does {} have")
TOP = 30


class Multiplied:
    """Documents made of pairs of real ones, and their vectors, as a stream."""

    def __init__(self, knowledge: Path, count: int) -> None:
        cache = Path(KnowledgeConfig().cache).expanduser()
        index = Index.open(build_index(knowledge / "corpus.jsonl", cache, PACKAGED))
        assert index.embeddings is not None
        self._vectors = np.asarray(index.embeddings, np.float32)
        self._real = [index.document(row) for row in range(len(index))]
        rng = np.random.default_rng(0)
        self._pairs = np.stack([np.arange(count) % len(index), rng.integers(0, len(index), count)], axis=1)
        self._embedded = 0

    def __iter__(self) -> Iterator[Document]:
        rng = random.Random(0)
        for row, (one, other) in enumerate(self._pairs.tolist()):
            base, added = self._real[one], self._real[other]
            name = f"{bare_name(base)}, {' '.join(bare_name(added).split()[:3])} type"
            some = rng.sample(added.sections, rng.randint(0, len(added.sections)))
            yield replace(base, id=f"MADE:{row}", title=f"{name} (MADE:{row})", sections=(*base.sections, *some))

    def embed(self, block: Sequence[Document]) -> Floats:
        """Vectors of the next documents of the stream."""
        pairs = self._pairs[self._embedded : self._embedded + len(block)]
        self._embedded += len(block)
        mean = self._vectors[pairs].mean(axis=1)
        unit: Floats = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return unit


def build(knowledge: Path, to: Path, count: int) -> None:
    """Build the index and print time, size and peak memory."""
    made = Multiplied(knowledge, count)
    opened_gib = _peak_gib()
    started = time.perf_counter()
    build_once(to, lambda folder: write_disk_index(made, folder, made.embed, weights_digest(PACKAGED)))
    taken = time.perf_counter() - started
    size = sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
    print(f"{count:,} documents in {taken:.0f} s ({count / taken:,.0f}/s), {size / 2**30:.2f} GiB on disk")
    print(f"peak memory {_peak_gib():.2f} GiB, of which {opened_gib:.2f} were taken before, for the real documents")


def query(path: Path, count: int) -> None:
    """Print latencies, how many of the true neighbours are found, and how often a document is found by its name."""
    torch.set_num_threads(1)
    index, encoder = DiskIndex.open(path, PACKAGED), Encoder(encoder_path(PACKAGED))
    rng = random.Random(1)
    documents = [index.row(row) for row in rng.sample(range(len(index)), count)]
    texts = [rng.choice(FORMS).format(bare_name(document)) for document in documents]
    vectors = encoder.encode(texts)
    asked = [content_words(text) for text in texts]
    print(f"{len(index):,} documents, {count} queries of {np.mean([*map(len, asked)]):.1f} words")
    print(f"{'step':44}{'p50 ms':>9}{'p95 ms':>9}{'CPU p50':>9}{'CPU p95':>9}")
    lists = InvertedLists(path / "vectors")
    _row(
        "words alone (title, text)",
        [_ms(lambda q=q: [index.by_words(q, f, TOP) for f in ("title", "text")]) for q in asked],
    )
    _row("vectors alone", [_ms(lambda v=v: lists.nearest(v, TOP)) for v in vectors])
    pairs = list(zip(texts, vectors, strict=True))
    _row("find: both, fused, documents read", [_ms(lambda q=q, v=v: index.find(q, v, TOP)) for q, v in pairs])
    _row(
        "the same, the query's encoding included",
        [_ms(lambda q=q: index.find(q, encoder.encode([q])[0], TOP)) for q in texts],
    )
    found = [
        document.id in [each.document.id for each in index.find(text, vector, TOP)]
        for document, (text, vector) in zip(documents, pairs, strict=True)
    ]
    print(f"the document that the query names is among {TOP}: {np.mean(found):.3f}")
    _recall(path, lists, vectors[: min(count, 100)])
    print(f"peak memory {_peak_gib():.2f} GiB, files that were read included")


def _recall(path: Path, lists: InvertedLists, vectors: Floats) -> None:
    """The part of the true nearest that the lists find, by a scan over all vectors."""
    stored, rows = np.load(path / "vectors" / "vectors.npy", mmap_mode="r"), np.load(path / "vectors" / "rows.npy")
    best = [np.empty((0, 2)) for _ in vectors]
    for start in range(0, len(stored), 65_536):
        cosines = stored[start : start + 65_536].astype(np.float32) @ vectors.T
        for each, column in enumerate(cosines.T):
            top = np.argpartition(-column, min(TOP, column.size - 1))[:TOP]
            both = np.concatenate([best[each], np.stack([column[top], rows[start + top]], axis=1)])
            best[each] = both[np.argsort(-both[:, 0])[:TOP]]
    shares = [
        np.isin(lists.nearest(vector, TOP), true[:, 1]).mean() for vector, true in zip(vectors, best, strict=True)
    ]
    print(f"of the {TOP} nearest vectors, {np.mean(shares):.3f} are found ({lists.num_lists} lists)")


def _ms(run: Callable[[], object]) -> tuple[float, float]:
    started, spent = time.perf_counter(), time.thread_time()
    run()
    return 1000 * (time.perf_counter() - started), 1000 * (time.thread_time() - spent)


def _row(name: str, taken: list[tuple[float, float]]) -> None:
    print(
        f"{name:44}{''.join(f'{each:9.2f}' for each in np.percentile(taken, [50, 95], axis=0).T.ravel())}", flush=True
    )


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Build or query."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build")
    building.add_argument("knowledge", type=Path)
    building.add_argument("dir", type=Path)
    building.add_argument("--documents", type=int, default=1_000_000)
    querying = commands.add_parser("query")
    querying.add_argument("dir", type=Path)
    querying.add_argument("--queries", type=int, default=500)
    arguments = parser.parse_args()
    if arguments.command == "build":
        build(arguments.knowledge, arguments.dir, arguments.documents)
    else:
        query(arguments.dir, arguments.queries)


if __name__ == "__main__":
    main()
