"""What comes of asking an endpoint about many items: an answer each, or why it was set aside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from medrl.errors import ConfigError, InfrastructureError
from medrl.types import Message

T = TypeVar("T")

DOWN_AFTER = 10
"""Items in a row without a word from the model, after which the endpoint counts as down."""
NONSENSE_AFTER = 20
"""Items without one reply that could be read, after which the model counts as unfit."""


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """One thing to ask. `parse` gives None for a reply that it cannot read; what it raises ends the work."""

    id: str
    messages: Sequence[Message]
    parse: Callable[[str], T | None]


class Failure(StrEnum):
    """How far an item that was set aside had come."""

    NO_REPLY = "the model never said a word"
    REFUSED = "the endpoint does not take this request"
    UNREADABLE = "the model said something, and nothing that could be read"


class SetAside(InfrastructureError):
    """One item has no answer after all attempts; others may have one. Survives pickling."""

    def __init__(self, asked: str, failure: Failure, reasons: tuple[str, ...]) -> None:
        """`asked`: model and host. `reasons`: of every attempt, in order, at least one."""
        super().__init__(asked, failure, reasons)
        self.asked, self.failure, self.reasons = asked, failure, reasons

    def __str__(self) -> str:
        attempts = f"{len(self.reasons)} attempt{'s' * (len(self.reasons) != 1)}"
        return f"{self.asked}: {self.reasons[-1]} ({attempts})"


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """Every item's id is in one of the two, each in the order of the items."""

    answers: dict[str, T]
    set_aside: dict[str, SetAside]


class Tally(Generic[T]):
    """Keeps what comes in, in any order, and sees when going on is no use."""

    def __init__(self, items: Sequence[Item[T]]) -> None:
        """Raises ValueError if two items have the same id."""
        self._ids = [item.id for item in items]
        if len(set(self._ids)) < len(self._ids):
            raise ValueError("two items have the same id, so one answer would hide the other")
        self._answers: dict[str, T] = {}
        self._set_aside: dict[str, SetAside] = {}
        self._heard = False
        self._silent_in_a_row = 0

    @property
    def num_set_aside(self) -> int:
        return len(self._set_aside)

    def answered(self, item_id: str, answer: T) -> None:
        self._answers[item_id] = answer
        self._heard, self._silent_in_a_row = True, 0

    def failed(self, item_id: str, error: SetAside) -> None:
        """Raises ConfigError if the endpoint refuses a request and never took another, as it will refuse all, and
        InfrastructureError when DOWN_AFTER items in a row had no reply, or NONSENSE_AFTER none that could be read."""
        self._set_aside[item_id] = error
        if error.failure is Failure.UNREADABLE:
            self._heard, self._silent_in_a_row = True, 0
            if not self._answers and len(self._set_aside) >= NONSENSE_AFTER:
                raise InfrastructureError(
                    f"{error}; of {len(self._set_aside)} items it has not said one thing that can be read: give "
                    "another model, or a higher max_tokens"
                )
            return
        if error.failure is Failure.REFUSED and not self._heard:
            raise ConfigError(f"{error}; it took no other request either: mend model, max_tokens, temperature or url")
        self._silent_in_a_row += 1
        if self._silent_in_a_row >= DOWN_AFTER:
            raise InfrastructureError(
                f"{error}; {self._silent_in_a_row} items in a row had no reply. {len(self._answers)} of "
                f"{len(self._ids)} were answered, {len(self._set_aside)} set aside: see to the endpoint and start again"
            )

    def outcome(self) -> Outcome[T]:
        """Raises RuntimeError if an item is in neither or both."""
        answers = {each: self._answers[each] for each in self._ids if each in self._answers}
        set_aside = {each: self._set_aside[each] for each in self._ids if each in self._set_aside}
        if len(answers) + len(set_aside) != len(self._ids) or answers.keys() & set_aside.keys():
            raise RuntimeError(f"{len(answers)} answers and {len(set_aside)} set aside of {len(self._ids)} items")
        return Outcome(answers, set_aside)
