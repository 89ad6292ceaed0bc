"""metrics.jsonl while it grows."""

import threading
from pathlib import Path
from typing import Any

from launch.web.lines import Line, Tail
from launch.web.problems import Problem, parse_json

MOST_LINES = 2_000


class MetricsTail:
    """The lines of metrics.jsonl, each read once. Safe to use from several threads."""

    def __init__(self, run: Path) -> None:
        self._tail = Tail(run / "metrics.jsonl")
        self._lock = threading.Lock()
        self.lines: list[dict[str, Any]] = []
        self.problems: list[Problem] = []

    def since(self, generation: int, count: int) -> dict[str, Any]:
        """What came after the first `count` lines of `generation`; all, if the file has been replaced since.

        {"generation", "from": where `lines` begin, "lines", "more": whether there are others after these}
        """
        with self._lock:
            self._read()
            start = count if generation == self._tail.generation else 0
            return {
                "generation": self._tail.generation,
                "from": start,
                "lines": self.lines[start : start + MOST_LINES],
                "more": len(self.lines) > start + MOST_LINES,
            }

    def _read(self) -> None:
        generation = self._tail.generation
        while fresh := self._tail.read():
            if self._tail.generation != generation:
                generation, self.lines, self.problems = self._tail.generation, [], []
            for line in fresh:
                self._take(line)
        if self._tail.generation != generation:
            self.lines, self.problems = [], []

    def _take(self, line: Line) -> None:
        try:
            values = parse_json(line.text)
            if not isinstance(values["stage"], str) or not isinstance(values["step"], int):
                raise ValueError("`stage` must be text and `step` a whole number")
            if not isinstance(values["time"], int | float):
                raise ValueError("`time` must be a number, unix seconds")
        except KeyError as error:
            self.problems.append(Problem("metrics.jsonl", line.number, f"{error} is missing"))
        except (ValueError, TypeError) as error:
            self.problems.append(Problem("metrics.jsonl", line.number, f"not a line of metrics: {error}"))
        else:
            self.lines.append(values)
