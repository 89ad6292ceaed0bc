"""What a person sees while waiting."""

import sys
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from tqdm import tqdm

T = TypeVar("T")
LINE_EVERY_S = 10.0
_FORMAT = "{desc}: {n_fmt}/{total_fmt}{unit} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"
_COUNTED = "{desc}: {n_fmt}{unit} [{elapsed}, {rate_fmt}{postfix}]"


class Progress:
    """A counter with an estimate of the time left, on stderr.

    A bar that redraws itself on a terminal; elsewhere (a log file, a CI page) one line every ten seconds.
    """

    def __init__(self, name: str | None, total: int | None, unit: str, done: int = 0, *, brief: bool = False) -> None:
        """`name`: None shows nothing. `total` in `unit`, a noun in the singular; None where it is not known. `done` of
        it before, which do not count for the rate. `brief`: nothing is shown of it before it takes a second, and on a
        terminal nothing is left of it."""
        terminal = sys.stderr.isatty()
        self._bar = tqdm(
            desc=name,
            disable=name is None,
            total=total,
            initial=done,
            unit=f" {unit}",
            unit_scale=total is None,
            file=sys.stderr if terminal else _Lines(),
            mininterval=0.2 if terminal else LINE_EVERY_S,
            bar_format=None if terminal else _COUNTED if total is None else _FORMAT,
            dynamic_ncols=terminal,
            delay=1.0 if brief else 0.0,
            leave=not (brief and terminal),
        )

    def advance(self, count: int = 1, **shown: float) -> None:
        """`count` more are done; `shown` are figures to show beside, such as the loss."""
        if shown:
            self._bar.set_postfix({key: f"{value:.4g}" for key, value in shown.items()}, refresh=False)
        self._bar.update(count)

    def expect(self, share: float) -> None:
        """What is done by now is `share` of the whole: set the total by it."""
        self._bar.total = round(self._bar.n / share)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()


def tracked(items: Iterable[T], name: str, total: int | None, unit: str, *, brief: bool = True) -> Iterator[T]:
    """The items, counted as they are asked for."""
    with Progress(name, total, unit, brief=brief) as progress:
        for item in items:
            yield item
            progress.advance()


class _Lines:
    """Where tqdm would redraw a line, write a new one."""

    def write(self, text: str) -> None:
        line = text.strip("\r\n ")
        if line:
            sys.stderr.write(line + "\n")

    def flush(self) -> None:
        sys.stderr.flush()
