"""How much an actor has under way, added up over time; two readings give the shares of the time between them."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """Since the meter began: seconds, those of them with something under way, and the number under way integrated over
    them; and that number now."""

    age_s: float = 0.0
    busy_s: float = 0.0
    load_s: float = 0.0
    under_way: int = 0


class Meter:
    """Counts what is under way."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = self._settled = clock()
        self._busy_s = self._load_s = 0.0
        self.under_way = 0

    def add(self, count: int) -> None:
        """`count` more are under way; fewer, if it is below 0."""
        self._settle()
        self.under_way += count

    def reading(self) -> Reading:
        self._settle()
        return Reading(self._settled - self._begun, self._busy_s, self._load_s, self.under_way)

    def _settle(self) -> None:
        now = self._clock()
        passed, self._settled = now - self._settled, now
        self._busy_s += passed * (self.under_way > 0)
        self._load_s += passed * self.under_way
