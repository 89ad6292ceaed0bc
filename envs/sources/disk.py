"""A corpus of up to tens of millions of documents on disk: words by tantivy, vectors by inverted lists.

    <dir>/about.json                      what is in it: documents, dimensions, the encoder's weights
          documents.jsonl, offsets.npy    the documents, and where each begins
          words/                          tantivy: `id`, `title` and `text` of each (BM25 with k1 = 1.2, b = 0.75)
          vectors/                        envs.retrieval.inverted_lists; none in an index without an encoder

It is built in one pass, a block of documents in memory at a time. A query reads what it needs of the files, which the
operating system keeps in memory while there is room, for all processes at once.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np
import tantivy
from pydantic import TypeAdapter, ValidationError

from envs.corpus import Document
from envs.retrieval.document_file import LINES, OFFSETS, DocumentFile
from envs.retrieval.embedding import Floats, weights_digest
from envs.retrieval.fusion import reciprocal_ranks
from envs.retrieval.inverted_lists import InvertedLists, build_lists
from envs.sources.base import Candidate
from envs.text import content_words, words
from medrl.errors import DataError
from medrl.records import fault, write_json
from medrl.versions import source_digest

#: What every index has.
ABOUT = "about.json"
#: Documents that are in memory while an index is built.
_BLOCK = 4096
#: Bytes that tantivy fills before it writes a segment.
_HEAP = 256_000_000
#: Rows are asked for twice over, as the engine breaks ties by segment and we by row.
_SPARE = 2

#: The source of what an index is made by.
_BUILDERS = (
    "envs.corpus",
    "envs.sources.disk",
    "envs.text",
    "envs.retrieval.document_file",
    "envs.retrieval.document_vectors",
    "envs.retrieval.embedding",
    "envs.retrieval.inverted_lists",
)

Embed = Callable[[Sequence[Document]], Floats]


@dataclass(frozen=True, slots=True)
class About:
    """What an index is. `dimensions` 0 and `encoder` "" where it has no vectors; `encoder`: `weights_digest`. `digest`:
    a hash of the documents and of all that turned them into the index."""

    documents: int
    dimensions: int
    encoder: str
    engine: str
    digest: str


def write_disk_index(documents: Iterable[Document], folder: Path, embed: Embed | None, encoder: str = "") -> None:
    """Index a stream of documents into an empty folder (see `envs.folders.build_once`), with bounded memory.

    `embed` makes the unit vectors of a block (None: words alone) and `encoder` says by which weights. Documents that
    have an id in common are all found; `DiskIndex.document` gives the first. Raises DataError if there is no document.
    """
    adapter = TypeAdapter(Document)
    schema = _schema()
    (folder / "words").mkdir()
    raw = folder / "vectors.raw"
    ends = [np.zeros(1, np.int64)]
    dimensions = 0
    engine = f"tantivy {version('tantivy')}"
    digest = hashlib.blake2b(f"{encoder} {engine} {source_digest(*_BUILDERS)}".encode(), digest_size=8)
    # One thread, so that the same documents give the same segments.
    writer = tantivy.Index(schema, path=str(folder / "words")).writer(heap_size=_HEAP, num_threads=1)
    with (folder / LINES).open("wb") as lines, raw.open("wb") as vectors:
        for block in _blocks(documents):
            written = [adapter.dump_json(document) + b"\n" for document in block]
            first = sum(map(len, ends)) - 1
            ends.append(ends[-1][-1] + np.cumsum([len(line) for line in written]))
            lines.writelines(written)
            digest.update(b"".join(written))
            for row, document in enumerate(block, start=first):
                writer.add_document(_words_of(row, document))
            if embed is not None:
                made = embed(block).astype(np.float16)
                dimensions = made.shape[1]
                vectors.write(made.tobytes())
    writer.commit()
    writer.wait_merging_threads()
    offsets = np.concatenate(ends)
    if offsets.size == 1:
        raise DataError("there is no document to index")
    np.save(folder / OFFSETS, offsets)
    if embed is not None:
        build_lists(np.memmap(raw, np.float16, mode="r", shape=(offsets.size - 1, dimensions)), folder / "vectors", 0)
    raw.unlink()
    about = About(offsets.size - 1, dimensions, encoder, engine, digest.hexdigest())
    write_json(folder / ABOUT, asdict(about))


def _blocks(documents: Iterable[Document]) -> Iterator[list[Document]]:
    stream = iter(documents)
    while block := list(islice(stream, _BLOCK)):
        yield block


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("row", fast=True)
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    for field in ("title", "text"):  # given as the words of envs.text, so there is nothing left to do but to part them
        builder.add_text_field(field, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _words_of(row: int, document: Document) -> tantivy.Document:
    title, text = " ".join(words(document.title)), " ".join(words(document.text))
    return tantivy.Document(row=row, id=document.id, title=title, text=text)


def read_about(path: Path) -> About:
    """What the index of the folder `path` says of itself. Raises DataError if there is none."""
    try:
        return TypeAdapter(About).validate_json((path / ABOUT).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{path}: no index; `medrl index build CORPUS --to {path}` makes one") from error
    except (OSError, ValidationError) as error:
        reason = fault(error) if isinstance(error, ValidationError) else error.strerror
        raise DataError(f"{path}: unreadable ({reason}); delete it and build it again") from error


class DiskIndex:
    """An open index: a `Source`, and the same without waiting (`find`)."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.path = path
        self.about = read_about(path)
        self._documents = DocumentFile(path)
        self._schema = _schema()
        self._words = tantivy.Index.open(str(path / "words")).searcher()
        self._vectors = InvertedLists(path / "vectors") if self.about.dimensions else None

    @classmethod
    def open(cls, path: Path, encoder: str | None = None) -> "DiskIndex":
        """Open what `write_disk_index` wrote. `encoder`: `knowledge.encoder`, if vectors are to be compared with its.

        Raises DataError.
        """
        try:
            index = cls(path)
        except (OSError, ValueError, KeyError, EOFError) as error:
            reason = " ".join(str(error).split())
            raise DataError(f"{path}: unreadable ({reason}); delete it and build it again") from error
        if encoder is not None and index.about.dimensions and index.about.encoder != weights_digest(encoder):
            raise DataError(f"{path}: its vectors are of another encoder than knowledge.encoder; build it again")
        return index

    def __len__(self) -> int:
        return len(self._documents)

    def row(self, row: int) -> Document:
        """The document of a row: they are numbered from 0, in the order that they were given."""
        return self._documents[row]

    def find(self, query: str, vector: Floats, k: int) -> list[Candidate]:
        """Up to `k` documents, best first: the best by the words of the title and of the text and the nearest by
        embedding, fused by their places."""
        asked = content_words(query)
        rankings = [self.by_words(asked, field, k) for field in ("title", "text")]
        if self._vectors is not None:
            rankings.append(self._vectors.nearest(vector, k).tolist())
        rows = reciprocal_ranks(rankings, k)
        vectors = [None] * len(rows) if self._vectors is None else [*self._vectors.vectors(np.array(rows, np.int64))]
        return [Candidate(self._documents[row], each) for row, each in zip(rows, vectors, strict=True)]

    def by_words(self, query: Sequence[str], field: str, count: int) -> list[int]:
        """The `count` best rows by BM25 over the field `title` or `text`, best first, ties by row."""
        terms = [(tantivy.Occur.Should, tantivy.Query.term_query(self._schema, field, word, "freq")) for word in query]
        if not terms:
            return []
        hits = self._words.search(tantivy.Query.boolean_query(terms), _SPARE * count, count=False).hits
        rows = self._words.fast_field_values("row", [address for _, address in hits])
        ranked = sorted((-score, int(row)) for (score, _), row in zip(hits, rows, strict=True) if row is not None)
        return [row for _, row in ranked[:count]]

    async def candidates(self, query: str, vector: Floats, k: int) -> list[Candidate]:
        """`find`, in a thread, as it waits for the disk."""
        return await asyncio.to_thread(self.find, query, vector, k)

    async def document(self, id: str) -> Document | None:
        """The first document with this id; in a thread, as for `candidates`."""
        return await asyncio.to_thread(self._called, id)

    def _called(self, id: str) -> Document | None:
        query = tantivy.Query.term_query(self._schema, "id", id, "basic")
        hits = self._words.search(query, 1, count=False, order_by_field="row", order=tantivy.Order.Asc).hits
        rows = self._words.fast_field_values("row", [address for _, address in hits])
        return self._documents[int(rows[0])] if rows and rows[0] is not None else None
