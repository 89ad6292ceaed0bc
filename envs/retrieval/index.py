"""An index over documents: BM25 by title and by text, and an embedding of each document, all memory-mapped.

    <out>/index-<hash>/documents.jsonl, offsets.npy   the documents, and where each begins
                       names.json                      id, title and bare name of each
                       title/, text/                   BM25 (envs.retrieval.lexical)
                       embeddings.npy                  float16 [documents, dimensions], unit length

The hash covers the corpus, the encoder, the precision this processor runs it in and the source of what builds
the index, so one is never stale.
"""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from envs.corpus import Document
from envs.folders import build_once
from envs.names import NameTable
from envs.retrieval.document_file import LINES, OFFSETS, DocumentFile
from envs.retrieval.document_vectors import document_vectors
from envs.retrieval.embedding import Encoder, encoder_dtype, encoder_path, weights_digest
from envs.retrieval.halves import open_halves, products
from envs.retrieval.lexical import LexicalIndex, Rows, best_rows, build_lexical
from envs.text import words
from medrl.errors import DataError
from medrl.records import read_jsonl, write_json
from medrl.versions import source_digest

_BUILDERS = (
    "envs.corpus",
    "envs.text",
    "envs.retrieval.document_file",
    "envs.retrieval.document_vectors",
    "envs.retrieval.embedding",
    "envs.retrieval.index",
    "envs.retrieval.lexical",
)

Floats = npt.NDArray[np.float32]


def bare_name(document: Document) -> str:
    """The title without the mark that says what it is: "Marfan syndrome (OMIM:154700)" -> "Marfan syndrome"."""
    name, mark, rest = document.title.rpartition(" (")
    return name if mark and rest.endswith(")") else document.title


def build_index(corpus: Path, out: Path, encoder: str | None) -> Path:
    """Index `corpus` (JSON lines of Document) under the folder `out`, or return the finished index of the same bytes.

    `encoder`: `knowledge.encoder`, or None for an index without embeddings. The folder appears whole or not at all.
    Raises DataError, ConfigError.
    """
    return build_once(out / f"index-{_digest(corpus, encoder)}", lambda folder: _write(corpus, folder, encoder))


def _digest(corpus: Path, encoder: str | None) -> str:
    digest = hashlib.blake2b(source_digest(*_BUILDERS).encode(), digest_size=8)
    if encoder is not None:
        digest.update(f"{weights_digest(encoder)} {encoder_dtype()}".encode())
    try:
        with corpus.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "blake2b").digest())
    except OSError as error:
        raise DataError(f"{corpus}: {error.strerror}") from error
    return digest.hexdigest()


def _write(corpus: Path, folder: Path, encoder: str | None) -> None:
    documents = list(read_jsonl(corpus, Document))
    if not any(words(document.title) for document in documents):
        raise DataError(f"{corpus}: no document with a word in its title; build the knowledge folder again")
    shutil.copyfile(corpus, folder / LINES)
    write_json(folder / "names.json", [[document.id, document.title, bare_name(document)] for document in documents])
    with corpus.open("rb") as lines:
        ends = np.cumsum([len(line) for line in lines])
    np.save(folder / OFFSETS, np.concatenate([[0], ends]).astype(np.int64))
    build_lexical((words(document.title) for document in documents), folder / "title")
    build_lexical((words(document.text) for document in documents), folder / "text")
    if encoder is not None:
        vectors = document_vectors(documents, Encoder(encoder_path(encoder)), progress=True)
        np.save(folder / "embeddings.npy", vectors.astype(np.float16))


class Index:
    """An open index. Rows number the documents in corpus order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.title = LexicalIndex(path / "title")
        self.text = LexicalIndex(path / "text")
        vectors = path / "embeddings.npy"
        self.embeddings: npt.NDArray[np.float16] | None = np.load(vectors, mmap_mode="r") if vectors.is_file() else None
        self._halves = open_halves(vectors) if vectors.is_file() else None
        self._documents = DocumentFile(path)
        self._names: NameTable | None = None

    @classmethod
    def open(cls, path: Path) -> "Index":
        """Open what `build_index` returned. Raises DataError."""
        try:
            return cls(path)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise DataError(f"{path}: unreadable ({error}); delete it to build it again") from error

    def __len__(self) -> int:
        return len(self._documents)

    def document(self, row: int) -> Document:
        """Read one document. Raises DataError if the file was damaged."""
        return self._documents[row]

    def candidates(self, query: list[str], count: int) -> Rows:
        """Up to `count` rows by BM25, ascending: a third by title alone, the others by the whole text.

        BM25 over the text favours short documents and those that repeat a name; the title's own list makes sure of
        the document that is called so.
        """
        by_title = self.title.top(query, -(-count // 3))
        by_text = self.text.top(query, count)
        rows = np.concatenate([by_title, by_text[~np.isin(by_text, by_title)]])
        return np.sort(rows[:count])

    def cosines(self, vector: Floats, rows: Rows) -> Floats:
        """Cosine of a unit vector [dimensions] with the documents `rows`."""
        if self.embeddings is None:
            raise ValueError("this index was built without an encoder")
        cosines: Floats = self.embeddings[rows].astype(np.float32) @ vector
        return cosines

    def coverage(self, query: list[str], rows: Rows) -> npt.NDArray[np.float64]:
        """The idf-weighted part of the query's words that each of `rows` holds, in [0, 1]."""
        weights = np.array([self.text.idf(word) for word in query])
        covered: npt.NDArray[np.float64] = weights @ self.text.holds(query, rows) / max(weights.sum(), 1e-12)
        return covered

    def nearest(self, vector: Floats, count: int) -> Rows:
        """The `count` rows nearest to a unit vector, ascending: they need no word in common with the query."""
        if self._halves is None:
            raise ValueError("this index was built without an encoder")
        return np.sort(best_rows(products(self._halves, vector, [(0, len(self))]), count))

    def find(self, name: str) -> tuple[int, ...]:
        """Rows of the documents with this id, title or bare name, whatever its case."""
        return self._name_table().find(name)

    def suggest(self, name: str, count: int) -> list[str]:
        """The ids and titles most like `name`."""
        return self._name_table().nearest(name, count)

    def _name_table(self) -> NameTable:
        if self._names is None:
            listed: list[list[str]] = json.loads((self._path / "names.json").read_text(encoding="utf-8"))
            self._names = NameTable((name, row) for row, names in enumerate(listed) for name in names)
        return self._names
