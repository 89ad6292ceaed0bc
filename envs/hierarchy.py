"""Which findings are broader or narrower than which: HPO's is_a, closed, as rows of column numbers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medrl.errors import DataError

Numbers = npt.NDArray[np.int64]


def ancestors(parents: Sequence[Sequence[int]]) -> list[list[int]]:
    """All broader findings of each, ascending and without itself. Raises DataError if one is broader than itself."""
    above: list[set[int] | None] = [None] * len(parents)
    for start in range(len(parents)):
        path = [start]
        while path:
            current = path[-1]
            if len(path) > len(parents):
                raise DataError(f"finding {current} is a kind of itself; build the knowledge folder again")
            waiting = next((each for each in parents[current] if above[each] is None), None)
            if waiting is None:
                above[current] = {up for each in parents[current] for up in (each, *(above[each] or ()))}
                path.pop()
            else:
                path.append(waiting)
    return [sorted(each or ()) for each in above]


def turned(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """For each number the rows that hold it, ascending: descendants from ancestors."""
    found: list[list[int]] = [[] for _ in rows]
    for row, members in enumerate(rows):
        for member in members:
            found[member].append(row)
    return found


class Rows:
    """Lists of numbers of various length as two arrays: row i is `values[ends[i]:ends[i + 1]]`."""

    def __init__(self, ends: Numbers, values: Numbers) -> None:
        self._ends = ends
        self._values = values

    def __getitem__(self, row: int) -> Numbers:
        return self._values[self._ends[row] : self._ends[row + 1]]


def flat(rows: Sequence[Sequence[int]]) -> tuple[Numbers, Numbers]:
    """The two arrays of `Rows`."""
    ends = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return ends, np.array([each for row in rows for each in row], np.int64)
