"""Inverted lists against a scan over all vectors."""

from pathlib import Path

import numpy as np
import pytest

from envs.retrieval.halves import Floats, Halves
from envs.retrieval.inverted_lists import InvertedLists, build_lists


def unit(rows: int, seed: int) -> Halves:
    drawn = np.random.default_rng(seed).normal(size=(rows, 16))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16)


def scan(vectors: Halves, query: Floats, count: int) -> list[int]:
    cosines = [float(np.dot(vector.astype(np.float32), query)) for vector in vectors]
    return sorted(range(len(vectors)), key=lambda row: (-cosines[row], row))[:count]


@pytest.mark.parametrize("rows", [1, 2, 50, 1500])
def test_reading_all_lists_is_a_scan(tmp_path: Path, rows: int) -> None:
    vectors = unit(rows, seed=1)
    build_lists(vectors, tmp_path, seed=0)
    lists = InvertedLists(tmp_path, probes=rows)
    assert len(lists) == rows and 1 <= lists.num_lists <= rows**0.5 + 1
    for query in unit(20, seed=2).astype(np.float32):
        assert lists.nearest(query, 7).tolist() == scan(vectors, query, 7)
    np.testing.assert_array_equal(lists.vectors(np.arange(rows)), vectors.astype(np.float32))


def test_more_lists_find_more_and_few_find_most(tmp_path: Path) -> None:
    centres = unit(40, seed=3).astype(np.float32)
    noisy = np.repeat(centres, 50, axis=0) + np.random.default_rng(4).normal(scale=0.05, size=(2000, 16))
    vectors = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float16)
    build_lists(vectors, tmp_path, seed=0)
    shares = []
    for probes in (1, 8, 45):
        lists = InvertedLists(tmp_path, probes)
        found = [set(lists.nearest(query, 10)) & set(scan(vectors, query, 10)) for query in centres]
        shares.append(sum(map(len, found)) / 400)
    assert shares[0] <= shares[1] <= shares[2] == 1.0 and shares[1] > 0.9


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build_lists(unit(300, seed=6), tmp_path / name, seed=7)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
