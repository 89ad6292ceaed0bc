"""BM25 against rank_bm25 and a scalar oracle."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from envs.lexical import LexicalIndex, build_lexical, top_rows
from envs.text import words
from tests.envs.small import DOCUMENTS
from tests.oracles_retrieval import okapi

TEXTS = [words(document.text) for document in DOCUMENTS]


@pytest.fixture(scope="module")
def lexical(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    path = tmp_path_factory.mktemp("lexical")
    build_lexical(TEXTS, path)
    return LexicalIndex(path)


@pytest.mark.parametrize(
    "query", ["marfan syndrome", "ectopia lentis gene fbn1", "lentis lentis", "seizure nowhere", "nowhere", ""]
)
def test_scores_are_those_of_rank_bm25_and_of_the_formula(lexical: LexicalIndex, query: str) -> None:
    scores = lexical.scores(query.split())
    expected = BM25Okapi(TEXTS, epsilon=0.0).get_scores(query.split())
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scores, okapi(query.split(), TEXTS), rtol=1e-5, atol=1e-6)


def test_holds_and_idf_follow_the_texts(lexical: LexicalIndex) -> None:
    query = ["marfan", "gene", "nowhere"]
    rows = np.array([0, 3, 5, 11])
    expected = [[word in TEXTS[row] for row in rows] for word in query]
    np.testing.assert_array_equal(lexical.holds(query, rows), expected)
    assert 0 < lexical.idf("gene") < lexical.idf("marfan") < lexical.idf("achondroplasia") < lexical.idf("nowhere")


def test_top_leaves_out_documents_without_a_word(lexical: LexicalIndex) -> None:
    assert lexical.top(["seizure"], 5).tolist() == [10, 4]
    assert lexical.top(["nowhere"], 5).size == 0


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(0, 40))
def test_top_rows_is_a_stable_sort(values: list[int], count: int) -> None:
    expected = sorted((row for row, value in enumerate(values) if value > 0), key=lambda row: -values[row])[:count]
    assert top_rows(np.array(values, np.float32), count).tolist() == expected


def test_same_texts_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build_lexical(TEXTS, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
