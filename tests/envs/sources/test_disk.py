"""An index on disk against brute force over the same documents."""

import asyncio
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from envs.corpus import Document
from envs.folders import build_once
from envs.retrieval.document_vectors import document_vectors
from envs.retrieval.embedding import PACKAGED, Encoder, weights_digest
from envs.retrieval.fusion import reciprocal_ranks
from envs.sources.disk import DiskIndex, read_about, write_disk_index
from envs.text import content_words, words
from medrl.errors import DataError
from tests.envs.small import DOCUMENTS

QUERIES = ["Marfan syndrome gene", "ectopia lentis", "aortic aneurysm of Marfan syndrome", "achondroplasya", "seizures"]


@pytest.fixture(scope="module")
def disk(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> DiskIndex:
    folder = tmp_path_factory.mktemp("disk") / "small"
    embed = partial(document_vectors, encoder=encoder)
    build_once(folder, lambda out: write_disk_index(DOCUMENTS, out, embed, weights_digest(PACKAGED)))
    return DiskIndex.open(folder, PACKAGED)


def bm25(query: Sequence[str], texts: Sequence[Sequence[str]], k1: float = 1.2, b: float = 0.75) -> list[float]:
    """BM25 as Lucene and tantivy have it, idf = log(1 + (N - n + 0.5) / (n + 0.5)), one word and text at a time."""
    average = sum(map(len, texts)) / len(texts)
    scores = []
    for text in texts:
        score = 0.0
        for word in query:
            holding = sum(word in other for other in texts)
            often = Counter(text)[word]
            idf = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
            score += idf * often * (k1 + 1) / (often + k1 * (1 - b + b * len(text) / average))
        scores.append(score)
    return scores


def ranked(query: str, field: str, count: int) -> list[int]:
    texts = [words(document.title if field == "title" else document.text) for document in DOCUMENTS]
    scores = bm25(content_words(query), texts)
    return sorted((row for row, score in enumerate(scores) if score > 0), key=lambda row: (-scores[row], row))[:count]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("field", ["title", "text"])
def test_words_rank_as_the_formula_does(disk: DiskIndex, query: str, field: str) -> None:
    assert disk.by_words(content_words(query), field, 5) == ranked(query, field, 5)


@pytest.mark.parametrize("query", QUERIES)
def test_find_is_words_and_vectors_fused(disk: DiskIndex, encoder: Encoder, query: str) -> None:
    vector = encoder.encode([query])[0]
    stored = document_vectors(DOCUMENTS, encoder).astype(np.float16).astype(np.float32)
    cosines = stored @ vector
    nearest = sorted(range(len(DOCUMENTS)), key=lambda row: (-cosines[row], row))[:5]
    expected = reciprocal_ranks([ranked(query, "title", 5), ranked(query, "text", 5), nearest], 5)
    found = asyncio.run(disk.candidates(query, vector, 5))
    assert [each.document for each in found] == [DOCUMENTS[row] for row in expected]
    for each, row in zip(found, expected, strict=True):
        np.testing.assert_array_equal(each.vector, stored[row])


def test_documents_by_id(disk: DiskIndex) -> None:
    for document in DOCUMENTS:
        assert asyncio.run(disk.document(document.id)) == document
    assert asyncio.run(disk.document("OMIM:1")) is None and asyncio.run(disk.document("omim")) is None
    assert disk.name == "small" and len(disk) == len(DOCUMENTS) and disk.row(3) == DOCUMENTS[3]


def test_words_alone(encoder: Encoder, tmp_path: Path) -> None:
    folder = build_once(tmp_path / "words", lambda out: write_disk_index(DOCUMENTS, out, None))
    index = DiskIndex.open(folder, PACKAGED)
    assert index.about.dimensions == 0 and not (folder / "vectors").exists()
    found = index.find("ectopia lentis", np.zeros(384, np.float32), 4)
    assert {each.document.id for each in found} >= {"HP:0001083", "OMIM:000001"}
    assert all(each.vector is None for each in found)
    assert index.find("nowhere", np.zeros(384, np.float32), 4) == []


def test_blocks_make_no_difference(encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embed = partial(document_vectors, encoder=encoder)
    for name, block in (("one", 5), ("other", 100)):
        monkeypatch.setattr("envs.sources.disk._BLOCK", block)
        build_once(tmp_path / name, lambda out: write_disk_index(iter(DOCUMENTS), out, embed, "e"))
    for path in ("documents.jsonl", "offsets.npy", "about.json", "vectors/rows.npy"):
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "other" / path).read_bytes()


def test_a_broken_stream_leaves_nothing(tmp_path: Path) -> None:
    def cut() -> Iterator[Document]:
        yield DOCUMENTS[0]
        raise DataError("cut off")

    with pytest.raises(DataError, match="cut off"):
        build_once(tmp_path / "index", lambda out: write_disk_index(cut(), out, None))
    with pytest.raises(DataError, match="no document to index"):
        build_once(tmp_path / "index", lambda out: write_disk_index([], out, None))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_opened_is_named(disk: DiskIndex, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="medrl index build"):
        DiskIndex.open(tmp_path)
    folder = build_once(
        tmp_path / "other", lambda out: write_disk_index(DOCUMENTS, out, lambda b: np.eye(len(b), 8), "x")
    )
    assert len(DiskIndex.open(folder)) == len(DOCUMENTS)  # to look into it
    with pytest.raises(DataError, match="another encoder"):
        DiskIndex.open(folder, PACKAGED)
    (folder / "offsets.npy").write_bytes(b"")
    with pytest.raises(DataError, match="unreadable"):
        DiskIndex.open(folder)
    (folder / "about.json").write_text('{"documents": "many"}')
    with pytest.raises(DataError, match="unreadable"):
        DiskIndex.open(folder)


def test_the_event_loop_does_not_wait_for_the_disk(disk: DiskIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()
    for name in ("find", "_called"):
        real = getattr(DiskIndex, name)

        def seen(self: DiskIndex, *arguments: object, real: Callable[..., object] = real) -> object:
            threads.add(threading.get_ident())
            return real(self, *arguments)

        monkeypatch.setattr(DiskIndex, name, seen)
    asyncio.run(disk.candidates("lens", np.zeros(384, np.float32), 3))
    asyncio.run(disk.document("OMIM:154700"))
    assert threads and threading.get_ident() not in threads


def test_the_digest_is_of_documents_and_encoder(tmp_path: Path) -> None:
    made = {
        "one": (DOCUMENTS, "e"),
        "same": (iter(DOCUMENTS), "e"),
        "fewer": (DOCUMENTS[1:], "e"),
        "turned": (DOCUMENTS[::-1], "e"),
        "encoder": (DOCUMENTS, "f"),
    }
    digests = {
        name: read_about(build_once(tmp_path / name, partial(_write, documents, encoder))).digest
        for name, (documents, encoder) in made.items()
    }
    assert digests["one"] == digests["same"] and len(set(digests.values())) == 4


def _write(documents: Iterable[Document], encoder: str, out: Path) -> None:
    write_disk_index(documents, out, lambda block: np.eye(len(block), 8, dtype=np.float32), encoder)
