"""What could not be read of a run: shown on its page, never passed over."""

import json
from dataclasses import dataclass
from typing import Any, NoReturn


@dataclass(frozen=True, slots=True)
class Problem:
    """`file` below the run directory, and what is wrong in it; `line` from 1, None where it is the file as a whole."""

    file: str
    line: int | None
    message: str


def parse_json(text: str | bytes) -> Any:
    """Plain JSON, which can be sent on to a page: raises ValueError for NaN and infinities too."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
