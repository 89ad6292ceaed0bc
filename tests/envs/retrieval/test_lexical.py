"""BM25 against rank_bm25 and a scalar oracle."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from envs.retrieval.lexical import LexicalIndex, best_rows, build_lexical, top_rows
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
    assert scores.tolist() == BM25Okapi(TEXTS).get_scores(query.split()).tolist()  # to the last bit
    np.testing.assert_allclose(scores, okapi(query.split(), TEXTS), rtol=1e-12, atol=1e-12)


def test_a_word_of_most_documents_still_counts(lexical: LexicalIndex) -> None:
    """ "gene" is in more than half: a plain idf would be below 0, and rank_bm25 puts a quarter of the average there."""
    assert sum("gene" in text for text in TEXTS) > len(TEXTS) / 2
    scores = lexical.scores(["gene"])
    assert all((score > 0) == ("gene" in text) for score, text in zip(scores, TEXTS, strict=True))


@given(
    st.lists(st.lists(st.sampled_from("abcdef"), max_size=8), min_size=1, max_size=12).filter(any),
    st.lists(st.sampled_from("abcdefg"), max_size=5),
)
def test_any_texts_score_as_in_rank_bm25(texts: list[list[str]], query: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build_lexical(texts, Path(folder))
        found = LexicalIndex(Path(folder))
        expected = BM25Okapi(texts).get_scores(query)
        assert found.scores(query).tolist() == expected.tolist()
        ranked = sorted(np.flatnonzero(expected > 0).tolist(), key=lambda row: (-expected[row], row))
        assert found.top(query, 5).tolist() == ranked[:5]
        np.testing.assert_allclose(expected, okapi(query, texts), rtol=1e-9, atol=1e-9)


def test_coverage_of_a_document_of_elsewhere_is_that_of_one_indexed(lexical: LexicalIndex) -> None:
    query = ["marfan", "gene", "nowhere"]
    weights = [lexical.idf(word) for word in query]
    for row, text in enumerate(TEXTS):
        held = lexical.holds(query, np.array([row]))[:, 0]
        expected = sum(weight for weight, has in zip(weights, held, strict=True) if has) / sum(weights)
        assert lexical.covered(query, set(text)) == pytest.approx(expected)


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
    every = sorted(range(len(values)), key=lambda row: -values[row])[:count]
    assert best_rows(np.array(values, np.float32), count).tolist() == every


def test_same_texts_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build_lexical(TEXTS, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
