"""BM25 over words (Robertson and Zaragoza 2009), scores computed when the index is built and memory-mapped after.

Okapi as in rank_bm25: k1 = 1.5, b = 0.75, idf = log((N - n + 0.5) / (n + 0.5)), floored at 0 (its `epsilon=0`).
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import bm25s
import numpy as np
import numpy.typing as npt

_K1 = 1.5
_B = 0.75

Scores = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


def build_lexical(texts: Iterable[Sequence[str]], out: Path) -> None:
    """Write the index of `texts`, each given as its words, into the folder `out`. One must have a word."""
    listed = list(texts)
    vocabulary = {word: number for number, word in enumerate(sorted({word for text in listed for word in text}))}
    token_ids = [[vocabulary[word] for word in text] for text in listed]
    bm25 = bm25s.BM25(method="atire", idf_method="robertson", k1=_K1, b=_B)
    bm25.index((token_ids, vocabulary), create_empty_token=False, show_progress=False)
    bm25.save(out, show_progress=False)


class LexicalIndex:
    """BM25 scores of all documents for a query given as words."""

    def __init__(self, path: Path) -> None:
        """Open what `build_lexical` wrote; arrays stay on disk until touched, and are shared between processes."""
        self._bm25 = bm25s.BM25.load(path, mmap=True, show_progress=False)
        self._vocabulary: dict[str, int] = json.loads((path / "vocab.index.json").read_text(encoding="utf-8"))
        self._indptr: Rows = np.asarray(self._bm25.scores["indptr"])
        self.num_documents: int = self._bm25.scores["num_docs"]

    def __contains__(self, word: str) -> bool:
        """Whether any document has the word."""
        return word in self._vocabulary

    def scores(self, query: Sequence[str]) -> Scores:
        """BM25 of every document, float32 [documents]; words that no document has count nothing."""
        known = [self._vocabulary[word] for word in query if word in self._vocabulary]
        if not known:
            return np.zeros(self.num_documents, np.float32)
        scores: Scores = self._bm25.get_scores_from_ids(known)
        return scores

    def top(self, query: Sequence[str], count: int) -> Rows:
        """Rows of the `count` best documents, best first, ties by row; documents without a word of it are left out."""
        return top_rows(self.scores(query), count)

    def idf(self, word: str) -> float:
        """log(1 + (N - n + 0.5) / (n + 0.5)), always above 0; a word of no document has n = 0."""
        count = self._postings(word).size
        return float(np.log1p((self.num_documents - count + 0.5) / (count + 0.5)))

    def holds(self, query: Sequence[str], rows: Rows) -> npt.NDArray[np.bool_]:
        """Which of `rows` have which word of the query, bool [words, rows]."""
        found = np.zeros((len(query), rows.size), np.bool_)
        for number, word in enumerate(query):
            postings = self._postings(word)
            if postings.size:
                places = np.minimum(np.searchsorted(postings, rows), postings.size - 1)
                found[number] = postings[places] == rows
        return found

    def _postings(self, word: str) -> npt.NDArray[np.int32]:
        """Rows of the documents that have `word`, ascending."""
        number = self._vocabulary.get(word)
        if number is None:
            return np.empty(0, np.int32)
        postings: npt.NDArray[np.int32] = self._bm25.scores["indices"][self._indptr[number] : self._indptr[number + 1]]
        return postings


def top_rows(scores: Scores, count: int) -> Rows:
    """Rows of the `count` highest positive scores, best first, ties by row."""
    count = min(count, scores.size)
    if count == 0:
        return np.empty(0, np.int64)
    worst = np.partition(scores, -count)[-count]
    above = np.flatnonzero(scores > worst)
    tied = np.flatnonzero(scores == worst)[: count - above.size] if worst > 0 else np.empty(0, np.int64)
    rows = np.concatenate([above, tied])
    best_first: Rows = rows[np.lexsort((rows, -scores[rows]))]
    return best_first
