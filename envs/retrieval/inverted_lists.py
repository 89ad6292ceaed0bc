"""Nearest vectors without looking at all of them: inverted lists (IVF, Sivic and Zisserman 2003; Jégou et al. 2011).

Vectors are put into lists by their nearest centroid, a list's vectors lie together on disk, and a query reads the lists
whose centroids are nearest to it. Where there are no more lists than it reads, the answer is exact.

    <out>/centroids.npy   float32 [lists, dimensions], unit length
          bounds.npy      int64 [lists + 1], where each list begins
          rows.npy        int32 [vectors], list after list, rows ascending in each
          vectors.npy     float16 [vectors, dimensions], in that order
          places.npy      int32 [vectors], where the vector of a row is
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.lib.format import write_array_header_1_0

from envs.retrieval.halves import Floats, Halves, open_halves, products
from envs.retrieval.lexical import Rows, best_rows

#: Lists that a query reads: with more, it finds more of the true neighbours, and takes longer.
PROBES = 64
#: Vectors that are looked at together while building, and for each list while its centroid is sought.
_BLOCK = 32_768
_SAMPLE = 48
_ITERATIONS = 8


def build_lists(vectors: Halves, out: Path, seed: int) -> None:
    """Write the lists of unit `vectors` [vectors, dimensions], at least one, into the folder `out`.

    Memory: the centroids, their sample and a block; `vectors` may be a memmap. The number of lists is the root of that
    of vectors, so that a query looks at about as many centroids as vectors in a list.
    """
    out.mkdir(parents=True, exist_ok=True)
    centroids = _centroids(vectors, max(1, round(len(vectors) ** 0.5)), np.random.default_rng(seed))
    list_of = np.concatenate([_nearest(vectors[block], centroids) for block in _blocks(len(vectors))])
    rows = np.argsort(list_of, kind="stable").astype(np.int32)
    places = np.empty_like(rows)
    places[rows] = np.arange(len(rows), dtype=np.int32)
    np.save(out / "centroids.npy", centroids)
    np.save(out / "bounds.npy", np.searchsorted(list_of[rows], np.arange(len(centroids) + 1)))
    np.save(out / "rows.npy", rows)
    np.save(out / "places.npy", places)
    header = {"descr": "<f2", "fortran_order": False, "shape": vectors.shape}
    with (out / "vectors.npy").open("wb") as written:
        write_array_header_1_0(written, header)  # type: ignore[no-untyped-call]  # numpy leaves it without types
        for block in _blocks(len(vectors)):
            written.write(vectors[rows[block]].tobytes())


def _centroids(vectors: Halves, count: int, rng: np.random.Generator) -> Floats:
    """Spherical k-means over a sample. A centroid that loses all its vectors stays where it was."""
    sample = np.sort(rng.choice(len(vectors), min(len(vectors), _SAMPLE * count), replace=False))
    drawn = np.asarray(vectors[sample], np.float32)
    centroids: Floats = drawn[np.sort(rng.choice(len(drawn), count, replace=False))]
    for _ in range(_ITERATIONS):
        list_of = np.concatenate([_nearest(drawn[block], centroids) for block in _blocks(len(drawn))])
        order = np.argsort(list_of, kind="stable")
        held, starts = np.unique(list_of[order], return_index=True)
        sums = np.add.reduceat(drawn[order], starts)
        centroids[held] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return centroids


def _nearest(vectors: Floats | Halves, centroids: Floats) -> npt.NDArray[np.int32]:
    nearest: npt.NDArray[np.int32] = (np.asarray(vectors, np.float32) @ centroids.T).argmax(axis=1).astype(np.int32)
    return nearest


def _blocks(size: int) -> list[slice]:
    return [slice(start, min(start + _BLOCK, size)) for start in range(0, size, _BLOCK)]


class InvertedLists:
    """The vectors of a folder that `build_lists` wrote, memory-mapped."""

    def __init__(self, path: Path, probes: int = PROBES) -> None:
        self._probes = probes
        self._centroids: Floats = np.load(path / "centroids.npy")
        self._bounds: Rows = np.load(path / "bounds.npy")
        self._rows: npt.NDArray[np.int32] = np.asarray(np.load(path / "rows.npy", mmap_mode="r"))
        self._places: npt.NDArray[np.int32] = np.asarray(np.load(path / "places.npy", mmap_mode="r"))
        self._vectors = open_halves(path / "vectors.npy")

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def num_lists(self) -> int:
        return len(self._centroids)

    def nearest(self, vector: Floats, count: int) -> Rows:
        """Rows of the `count` vectors nearest to a unit `vector` [dimensions] in the lists read, nearest first."""
        lists = best_rows(self._centroids @ vector, self._probes)
        spans = [(int(self._bounds[each]), int(self._bounds[each + 1])) for each in lists]
        cosines = products(self._vectors, vector, spans)
        rows = np.concatenate([self._rows[start:end] for start, end in spans])
        order = np.argsort(rows)  # so that ties go to the lower row
        return rows[order][best_rows(cosines[order], count)].astype(np.int64)

    def vectors(self, rows: Rows) -> Floats:
        """The vectors of some rows, float32 [rows, dimensions]."""
        return np.asarray(self._vectors[self._places[rows]].float())
