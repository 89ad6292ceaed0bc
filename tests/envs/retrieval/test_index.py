"""The index: what it returns, when it is reused, what it refuses."""

from pathlib import Path

import numpy as np
import pytest

from envs.corpus import Document
from envs.retrieval.embedding import PACKAGED, Encoder
from envs.retrieval.index import Index, bare_name, build_index
from envs.text import words
from medrl.errors import DataError
from medrl.records import write_jsonl
from tests.envs.small import DOCUMENTS, WEB


def test_documents_come_back_as_written(index: Index) -> None:
    assert [index.document(row) for row in range(len(index))] == DOCUMENTS


def test_embeddings_are_unit_vectors_near_the_names(index: Index, encoder: Encoder) -> None:
    assert index.embeddings is not None and index.embeddings.dtype == np.float16
    assert isinstance(index.embeddings, np.memmap)
    names = encoder.encode([bare_name(document) for document in DOCUMENTS])
    for row, vector in enumerate(names):
        cosines = index.cosines(vector, np.arange(len(index)))
        assert abs(np.linalg.norm(index.embeddings[row].astype(np.float32)) - 1) < 2e-3
        assert bare_name(DOCUMENTS[int(cosines.argmax())]) == bare_name(DOCUMENTS[row])


def test_candidates_hold_the_document_so_called(index: Index) -> None:
    """By text alone, six documents that name the Marfan syndrome compete for three places."""
    for document in DOCUMENTS:
        rows = index.candidates(words(document.title), 3)
        assert DOCUMENTS.index(document) in rows and rows.size <= 3 and sorted(set(rows)) == rows.tolist()
    assert index.candidates(["nowhere"], 3).size == 0


def test_nearest_needs_no_common_word(index: Index, encoder: Encoder) -> None:
    rows = index.nearest(encoder.encode(["achondroplasya"])[0], 2)
    assert DOCUMENTS.index(DOCUMENTS[3]) in rows and rows.size == 2


def test_find_by_id_title_and_bare_name(index: Index) -> None:
    assert (
        index.find("omim:154700")
        == index.find("Marfan syndrome (OMIM:154700)")
        == index.find("Marfan Syndrome")
        == (0,)
    )
    assert index.find("Ectopia lentis") == (8, 11)
    assert index.suggest("Marfan sindrome", 1) == ["Marfan syndrome"]


def test_a_finished_index_is_reused_and_other_bytes_make_another(knowledge: Path, cache: Path, tmp_path: Path) -> None:
    first = build_index(knowledge / "corpus.jsonl", cache, PACKAGED)
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    assert build_index(knowledge / "corpus.jsonl", cache, PACKAGED) == first
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*")} == before
    write_jsonl(tmp_path / "corpus.jsonl", DOCUMENTS[1:])
    other = build_index(tmp_path / "corpus.jsonl", tmp_path, None)
    assert other.name != first.name and len(Index.open(other)) == len(DOCUMENTS) - 1


def test_without_an_encoder_there_are_no_cosines(web: Index) -> None:
    assert web.document(1) == WEB[1] and web.embeddings is None
    with pytest.raises(ValueError, match="without an encoder"):
        web.cosines(np.zeros(384, np.float32), np.array([0]))


def test_unusable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.jsonl"):
        build_index(tmp_path / "missing.jsonl", tmp_path, None)
    write_jsonl(tmp_path / "blank.jsonl", [Document("x", "…", (), "omim", "")])
    with pytest.raises(DataError, match="no document with a word"):
        build_index(tmp_path / "blank.jsonl", tmp_path, None)
    write_jsonl(tmp_path / "blank.jsonl", [Document("x", "…", ("A word.",), "omim", "")])
    with pytest.raises(DataError, match="no document with a word in its title"):
        build_index(tmp_path / "blank.jsonl", tmp_path, None)
    (tmp_path / "bad.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(DataError, match=r"bad\.jsonl:1"):
        build_index(tmp_path / "bad.jsonl", tmp_path, None)
    with pytest.raises(DataError, match="delete it to build it again"):
        Index.open(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.jsonl", "blank.jsonl"]


@pytest.mark.parametrize(
    ("title", "name"),
    [("Marfan syndrome (OMIM:154700)", "Marfan syndrome"), ("A (B) c", "A (B) c"), ("FBN1 (gene)", "FBN1")],
)
def test_bare_name(title: str, name: str) -> None:
    assert bare_name(Document("i", title, (), "omim", "")) == name
