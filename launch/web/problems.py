"""What could not be read of a run: shown on its page, never passed over."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`file` below the run directory, and what is wrong in it; `line` from 1, None where it is the file's as a whole."""

    file: str
    line: int | None
    message: str
