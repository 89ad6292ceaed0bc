"""Names to rows: exact look-up, and the nearest names when nothing fits."""

import difflib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from envs.text import fold

_SIGNATURE_BITS = 512
_SIGNATURE_PRIME = 509
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
            self._signatures = _signatures(self._shown)
        asked = _signatures([name])[0]
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


def _signatures(names: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Which letter triples a name has, as bits [names, words]: hashed to `_SIGNATURE_BITS` places each."""
    padded = [f"  {_key(name)} ".encode() for name in names]
    row = np.repeat(np.arange(len(padded)), [len(each) for each in padded])
    letters = np.frombuffer(b"".join(padded), np.uint8).astype(np.int64)
    within = row[:-2] == row[2:]  # a triple must not run over into the next name
    triples = ((letters[:-2] * 256 + letters[1:-1]) * 256 + letters[2:])[within] % _SIGNATURE_PRIME
    bits = np.zeros((len(padded), _SIGNATURE_BITS), np.bool_)
    bits[row[:-2][within], triples] = True
    return np.packbits(bits, axis=1).view(np.uint64)
