"""Names to rows: exact look-up, and the nearest names when nothing fits."""

from collections.abc import Iterable

from rapidfuzz import fuzz, process

from envs.text import fold


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
        self._keys = list(self._rows)

    def find(self, name: str) -> tuple[int, ...]:
        """The rows called `name`, whatever its case, accents and spacing; empty if there is none."""
        return self._rows.get(_key(name), ())

    def nearest(self, name: str, count: int) -> list[str]:
        """The `count` names most like `name`, by the part of the two that a longest common subsequence covers."""
        found = process.extract(_key(name), self._keys, scorer=fuzz.ratio, limit=count)
        return [self._shown[place] for _, _, place in found]


def _key(name: str) -> str:
    return " ".join(fold(name).split())
