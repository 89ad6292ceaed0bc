"""Names to rows: exact look-up, and the nearest names when nothing fits."""

import difflib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from envs.text import fold

_SIGNATURE_BITS = 512
_SHORTLIST = 60


class NameTable:
    """Many names, each of one row; a row may have several names, and a name several rows."""

    def __init__(self, names: Iterable[tuple[str, int]]) -> None:
        self._rows: dict[str, tuple[int, ...]] = {}
        self._shown: list[str] = []
        for name, row in names:
            key = _key(name)
            known = self._rows.get(key)
            if known is None:
                self._rows[key] = (row,)
                self._shown.append(name)
            elif row not in known:
                self._rows[key] = (*known, row)
        self._signatures: npt.NDArray[np.uint64] | None = None

    def find(self, name: str) -> tuple[int, ...]:
        """The rows called `name`, whatever its case, accents and spacing; empty if there is none."""
        return self._rows.get(_key(name), ())

    def nearest(self, name: str, count: int) -> list[str]:
        """The `count` names most like `name`: a shortlist by shared letter triples, ranked by matching blocks."""
        if not self._shown:
            return []
        if self._signatures is None:
            self._signatures = np.stack([_signature(each) for each in self._shown])
        asked = _signature(name)
        shared = np.bitwise_count(self._signatures & asked).sum(axis=1, dtype=np.int64)
        length = np.bitwise_count(self._signatures).sum(axis=1, dtype=np.int64) + np.bitwise_count(asked).sum()
        likeness = 2.0 * shared / np.maximum(length, 1)
        shortlist = np.argsort(-likeness, kind="stable")[:_SHORTLIST]
        key = _key(name)

        def blocks(place: int) -> float:
            return difflib.SequenceMatcher(None, key, _key(self._shown[place]), autojunk=False).ratio()

        return [self._shown[place] for place in sorted(map(int, shortlist), key=blocks, reverse=True)[:count]]


def _key(name: str) -> str:
    return " ".join(fold(name).split())


def _signature(name: str) -> npt.NDArray[np.uint64]:
    """One bit for each triple of letters, hashed to `_SIGNATURE_BITS` places (a Bloom filter of one hash)."""
    padded = f"  {_key(name)} ".encode()
    bits = np.zeros(_SIGNATURE_BITS, np.bool_)
    for start in range(len(padded) - 2):
        bits[int.from_bytes(padded[start : start + 3], "big") % (_SIGNATURE_BITS - 3)] = True
    return np.packbits(bits).view(np.uint64)
