"""BM25 over words (Robertson and Zaragoza 2009), scores computed when the index is built and memory-mapped after.

The statistics and constants are those of `rank_bm25.BM25Okapi` with its default arguments: k1 = 1.5, b = 0.75,
idf = log((N - n + 0.5) / (n + 0.5)), and a quarter of the average idf for a word in more than half of the texts. What a
word adds to a text is kept in float64, so that scores are rank_bm25's to the last bit, ties included.

    <out>/vocabulary.json    the words, sorted; a word's number is its place
          indptr.npy         word i has the postings indptr[i] to indptr[i + 1]
          rows.npy           int32 [postings], the texts that have the word, ascending
          scores.npy         float64 [postings], what the word adds to the score of each
"""

import json
from collections.abc import Collection, Iterable, Sequence
from math import fsum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rank_bm25 import BM25Okapi

Scores = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def build_lexical(texts: Iterable[Sequence[str]], out: Path) -> None:
    """Write the index of `texts`, each given as its words, into the folder `out`. One must have a word."""
    okapi = BM25Okapi([list(text) for text in texts])
    vocabulary = sorted(okapi.idf)
    number_of = {word: number for number, word in enumerate(vocabulary)}
    numbers = np.fromiter((number_of[word] for freqs in okapi.doc_freqs for word in freqs), np.int32)
    often = np.fromiter((count for freqs in okapi.doc_freqs for count in freqs.values()), np.int64)
    rows = np.repeat(np.arange(okapi.corpus_size, dtype=np.int32), [len(freqs) for freqs in okapi.doc_freqs])
    order = np.argsort(numbers, kind="stable")
    numbers, often, rows = numbers[order], often[order], rows[order]
    length = np.array(okapi.doc_len)[rows]
    idf = np.array([okapi.idf[word] for word in vocabulary])[numbers]
    # As rank_bm25 writes it: in another order the last bits would differ.
    damped = often + okapi.k1 * (1 - okapi.b + okapi.b * length / okapi.avgdl)
    scores = idf * (often * (okapi.k1 + 1) / damped)
    out.mkdir(parents=True, exist_ok=True)
    (out / "vocabulary.json").write_text(
        json.dumps({"texts": okapi.corpus_size, "words": vocabulary}), encoding="utf-8"
    )
    np.save(out / "indptr.npy", np.searchsorted(numbers, np.arange(len(vocabulary) + 1)))
    np.save(out / "rows.npy", rows)
    np.save(out / "scores.npy", scores)


class LexicalIndex:
    """BM25 scores of all documents for a query given as words."""

    def __init__(self, path: Path) -> None:
        """Open what `build_lexical` wrote; arrays stay on disk until touched, and are shared between processes."""
        written: dict[str, Any] = json.loads((path / "vocabulary.json").read_text(encoding="utf-8"))
        self.num_documents: int = written["texts"]
        self._vocabulary = {word: number for number, word in enumerate(written["words"])}
        # Plain arrays over the same memory: a slice of a memmap takes ten times as long to make.
        self._indptr: Rows = np.asarray(np.load(path / "indptr.npy", mmap_mode="r"))
        self._rows: npt.NDArray[np.int32] = np.asarray(np.load(path / "rows.npy", mmap_mode="r"))
        self._scores: Scores = np.asarray(np.load(path / "scores.npy", mmap_mode="r"))

    def __contains__(self, word: str) -> bool:
        """Whether any document has the word."""
        return word in self._vocabulary

    def scores(self, query: Sequence[str]) -> Scores:
        """BM25 of every document, float64 [documents]; words that no document has count nothing."""
        scores = np.zeros(self.num_documents)
        for word in query:
            held = self._span(word)
            scores[self._rows[held]] += self._scores[held]
        return scores

    def top(self, query: Sequence[str], count: int) -> Rows:
        """Rows of the `count` best documents, best first, ties by row; those that score 0 or less are left out."""
        return top_rows(self.scores(query), count)

    def idf(self, word: str) -> float:
        """log(1 + (N - n + 0.5) / (n + 0.5)), always above 0; a word of no document has n = 0."""
        count = self._postings(word).size
        return float(np.log1p((self.num_documents - count + 0.5) / (count + 0.5)))

    def covered(self, query: Sequence[str], held: Collection[str]) -> float:
        """The idf-weighted part of the query's words that are among those that a document of any kind holds, in [0, 1];
        0 of no words."""
        weights = [self.idf(word) for word in query]
        total = fsum(weights)
        return (
            fsum(weight for weight, word in zip(weights, query, strict=True) if word in held) / total if total else 0.0
        )

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
        return self._rows[self._span(word)]

    def _span(self, word: str) -> slice:
        """Where the postings of `word` are; nowhere if no document has it."""
        number = self._vocabulary.get(word)
        return slice(0, 0) if number is None else slice(self._indptr[number], self._indptr[number + 1])


def top_rows(scores: npt.NDArray[np.floating[Any]], count: int) -> Rows:
    """Rows of the `count` highest positive scores, best first, ties by row."""
    rows: Rows = np.flatnonzero(scores > 0)
    return rows[best_rows(scores[rows], count)]


def best_rows(scores: npt.NDArray[np.floating[Any]], count: int) -> Rows:
    """Rows of the `count` highest scores, best first, ties by row."""
    rows: Rows = np.arange(scores.size)
    if 0 < count < scores.size:
        worst = np.partition(scores, -count)[-count]
        above = np.flatnonzero(scores > worst)
        rows = np.concatenate([above, np.flatnonzero(scores == worst)[: count - above.size]])
    best_first: Rows = rows[np.lexsort((rows, -scores[rows]))]
    return best_first[:count]
