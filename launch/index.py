"""`medrl index`: build an index over a corpus on disk, and look into one."""

import errno
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from envs.corpus import Document
from envs.folders import build_once
from envs.retrieval.document_vectors import document_vectors
from envs.retrieval.embedding import PACKAGED, Encoder, encoder_path, weights_digest
from envs.retrieval.index import Index, build_index
from envs.sources.disk import ABOUT, DiskIndex, write_disk_index
from envs.text import words
from envs.tools.medical_retriever import Hit, MedicalRetriever
from kisa.corpus_files import documents_reader, read_documents
from kisa.knowledge import build_knowledge
from kisa.sources.skipped import Skipped
from medrl.errors import DataError
from medrl.progress import Progress
from medrl.sections.knowledge import KnowledgeConfig

_NOT_WRITTEN = {errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.ENOENT, errno.EEXIST}
_SHOWN = 10


def build(files: Sequence[Path], to: Path, encoder: str | None) -> None:
    """Index the files into the folder `to`, which must be new, and print what came of it.

    `encoder`: `knowledge.encoder`; None: by words alone. Raises DataError, ConfigError.
    """
    if to.exists():
        mend = "delete it to build it again, or give another --to" if (to / ABOUT).is_file() else "give another --to"
        raise DataError(f"{to}: there already; {mend}")
    weights = None if encoder is None else encoder_path(encoder)
    skipped = [Skipped(path) for path in files]
    for path in files:
        if path.is_dir():
            raise DataError(f"{path}: a folder; give the files in it")
        documents_reader(path)
        if not path.is_file():
            raise DataError(f"{path}: no such file; give files of the corpus")
    embed = None if weights is None else partial(document_vectors, encoder=Encoder(weights))
    digest = "" if encoder is None else weights_digest(encoder)
    started = time.perf_counter()
    try:
        build_once(to, lambda folder: write_disk_index(_stream(files, skipped), folder, embed, digest))
    except DataError as error:
        left_out = "; ".join(each.describe() for each in skipped if each.count)
        raise DataError(f"{error}; {left_out}" if left_out else str(error)) from error
    except OSError as error:
        if error.errno not in _NOT_WRITTEN:
            raise
        raise DataError(f"{to}: {error.strerror}; make room there, or give another --to") from error
    for each in skipped:
        if each.count:
            print(each.describe())
    print(f"built in {time.perf_counter() - started:.0f} s")
    show(to, None, encoder or PACKAGED)
    print(f"search it beside the ontology with knowledge.indexes='[{to.resolve()}]'")


def _stream(files: Sequence[Path], skipped: Sequence[Skipped]) -> Iterator[Document]:
    with Progress("indexed", None, "document") as progress:
        for path, left_out in zip(files, skipped, strict=True):
            for document in read_documents(path, left_out):
                yield document
                progress.advance()


def show(folder: Path, query: str | None, encoder: str) -> None:
    """Print what an index holds and, for a query, what it finds and how each score came about.

    `encoder`: `knowledge.encoder`. Raises DataError, ConfigError.
    """
    config = KnowledgeConfig(encoder=encoder)
    index = DiskIndex.open(folder, None if query is None else encoder)
    if query is None:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        about = index.about
        vectors = f"vectors of {about.dimensions} dimensions" if about.dimensions else "no vectors"
        print(f"{folder}: {about.documents:,} documents, {size / 2**20:,.1f} MiB, {about.engine}, {vectors}")
        return
    if not words(query):
        raise DataError(f"{query!r} has no words to look for; name a disease, a gene or a finding")
    knowledge = build_knowledge(config)
    # Only how rare its words are counts here, and to embed it takes minutes.
    own = Index.open(build_index(knowledge / "corpus.jsonl", Path(config.cache).expanduser(), None))
    embedding = Encoder(encoder_path(encoder))
    vector = embedding.encode([query])[0]
    found = [(index.name, candidate) for candidate in index.find(query, vector, config.candidates)]
    hits = MedicalRetriever(own, embedding, config).score(query, vector, found, config.lam)
    print(
        f"score = {config.lam:g}·relevance + {1 - config.lam:g}·authority; words weigh as in the ontology's documents"
    )
    for number, hit in enumerate(sorted(hits, key=lambda hit: -hit.score)[:_SHOWN], start=1):
        print(render(number, hit))


def render(number: int, hit: Hit) -> str:
    """A hit in two lines: its score with all parts, and what its authority is made of."""
    return (
        f"[{number}] {hit.document.title} ({hit.document.id})\n"
        f"    {hit.score:.3f}: relevance {hit.relevance:.3f} (cosine {hit.cosine:.3f}, coverage {hit.coverage:.3f}), "
        f"authority {hit.authority:.3f} ({', '.join(map(str, hit.grounds))})"
    )
