"""How much a journal is read: a table that the user supplies, as impact factors are not free to pass on.

Tab-separated lines, a journal's title or ISSN and its impact (a number of 0 or more: the impact factor, CiteScore or
the like); a first line of headings may stand before them. Titles match whatever their case, accents and punctuation.
"""

import hashlib
from math import log
from pathlib import Path
from statistics import median

from envs.text import fold
from medrl.errors import DataError

#: The impact from which on more makes no difference: that of the best known general medical journals.
_MOST = 100.0


class Journals:
    """A table of journals."""

    def __init__(self, impacts: dict[str, float]) -> None:
        """`impacts` by title or ISSN, at least one."""
        self._impacts = {_key(name): impact for name, impact in impacts.items()}
        self._median = median(impacts.values())

    @classmethod
    def read(cls, path: Path) -> "Journals":
        """Raises DataError naming the line."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}; knowledge.journals names a table of journals") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8; save the table of journals as UTF-8") from error
        impacts = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            name, _, impact = line.rpartition("\t")
            if name.strip() and _is_impact(impact):
                impacts[name.strip()] = float(impact)
            elif number > 1:
                raise DataError(f"{path}:{number}: give a title or ISSN, a tab, and the impact as a number")
        if not impacts:
            raise DataError(f"{path}: no journal in it; give lines of a title or ISSN, a tab, and the impact")
        return cls(impacts)

    @property
    def digest(self) -> str:
        """A hash of the table."""
        return hashlib.blake2b(repr(sorted(self._impacts.items())).encode(), digest_size=8).hexdigest()

    def standing(self, journal: str) -> float:
        """log(1 + impact) / log(1 + 100), at most 1, so that a step from 1 to 10 counts about as much as one from 10 to
        60. A journal that the table does not name stands as its median does.
        """
        impact = self._impacts.get(_key(journal), self._median)
        return min(1.0, log(1.0 + impact) / log(1.0 + _MOST))


def _is_impact(text: str) -> bool:
    return text.strip().replace(".", "", 1).isdecimal()


def _key(name: str) -> str:
    return "".join(letter for letter in fold(name) if letter.isalnum())
