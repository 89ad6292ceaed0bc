"""An agent's work and its answer on a terminal, or as plain lines where there is none."""

import shutil
import textwrap
from typing import TextIO

from launch.ask.events import Acted, Began, Ended, Event, Failed, Observed, Report, Said
from medrl.printable import printable

_LABEL = 9
_STYLES = {"quiet": "2", "bold": "1", "good": "32", "warn": "33"}


class Console:
    """Prints the greedy episode as it goes, then what comes of all."""

    def __init__(self, out: TextIO, samples: int) -> None:
        """Colours, and the line that shows the turn being sampled, are for a terminal alone."""
        self._out = out
        self._samples = samples
        self._live = out.isatty()
        self._width = min(shutil.get_terminal_size((100, 24)).columns, 110)
        self._ended = 0
        self._shown_ended = False

    def tell(self, event: Event) -> None:
        """Print what `event` adds."""
        if isinstance(event, Report):
            self._clear()
            self._report(event)
            return
        if isinstance(event, (Ended, Failed)):
            self._ended += 1
            self._shown_ended |= event.sample == 0
        if event.sample == 0:
            self._step(event)
        if self._shown_ended and self._ended < self._samples:
            self._status(f"{self._ended} of {self._samples} samples done")

    def _step(self, event: Event) -> None:
        match event:
            case Said(text=text):
                self._status(text)
            case Began(attempt=attempt) if attempt:
                self._line("again", "something under the agent failed; from the beginning", "warn")
            case Acted():
                if event.thought:
                    self._line("thinks", event.thought)
                if event.call is not None:
                    arguments = ", ".join(f"{key}: {value}" for key, value in event.call.arguments.items())
                    self._line("asks", f"{event.call.name}  {arguments}")
                elif event.answer is not None:
                    self._line("answers", event.answer, "bold")
                else:
                    self._line("writes", event.written)
            case Observed(status="ok") if event.passages:
                for number, each in enumerate(event.passages):
                    mark = " (untrusted)" if each.is_untrusted else ""
                    self._line("" if number else "reads", f"[{each.document}]{mark} {each.text}", "quiet")
            case Observed():
                self._line("is told", event.text, "quiet" if event.status == "ok" else "warn")
            case Ended(answer=None):
                self._line("ends", f"without an answer ({event.ending})", "warn")
            case Failed():
                self._line("fails", event.reason, "warn")

    def _report(self, report: Report) -> None:
        self._print()
        if report.answer is None:
            self._print(self._styled("No answer was found.", "warn"))
        else:
            self._print("Answer: " + self._styled(printable(report.answer), "bold"))
        style = "good" if report.is_sure and report.samples > 1 else "warn"
        self._paragraph(report.confidence, style)
        if report.differs:
            said = "gave no answer" if report.shown is None else f"says {report.shown}"
            self._paragraph(f"The greedy sample, shown above, {said}; the answer is what most samples say.")
        if report.rivals:
            rivals = "; ".join(f"{each.answer} ({each.votes})" for each in report.rivals)
            self._paragraph(f"Other answers: {rivals}")
        if report.silent and report.answer is not None:
            self._paragraph(f"Without an answer: {report.silent}")
        if report.failed:
            self._paragraph(f"Could not be played: {len(report.failed)} ({report.failed[0]})", "warn")
        if report.calibration:
            self._paragraph(report.calibration)
        if report.citations:
            self._print("Sources")
        for number, each in enumerate(report.citations, start=1):
            why = " and ".join(
                word for word, holds in (("shows it", each.shows_answer), ("named", each.is_named)) if holds
            )
            mark = "untrusted, " if each.is_untrusted else ""
            count = f"{each.samples} sample{'s' * (each.samples != 1)}"
            self._line(f"[{number}]", f"{each.document} ({mark}{why}, {count}): {each.text}")
        self._print()
        self._paragraph(report.statement, "warn")

    def _line(self, label: str, text: str, style: str = "") -> None:
        """Text beside a label, wrapped and indented."""
        self._clear()
        room = max(20, self._width - _LABEL - 2)
        lines = [part for line in printable(text).splitlines() for part in textwrap.wrap(line, room) or [""]] or [""]
        for number, line in enumerate(lines):
            head = self._styled(f"{'' if number else label:<{_LABEL}}", "quiet")
            self._print(f"  {head}{self._styled(line, style)}".rstrip())

    def _paragraph(self, text: str, style: str = "") -> None:
        for line in textwrap.wrap(printable(text), self._width):
            self._print(self._styled(line, style))

    def _status(self, text: str) -> None:
        """One line that the next one replaces."""
        if self._live:
            shown = " ".join(printable(text).split())
            room = self._width - _LABEL - 4
            self._out.write(f"\r\x1b[K  {'':<{_LABEL}}{self._styled(shown[-room:], 'quiet')}")
            self._out.flush()

    def _clear(self) -> None:
        if self._live:
            self._out.write("\r\x1b[K")

    def _print(self, text: str = "") -> None:
        self._out.write(text + "\n")
        self._out.flush()

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._live and style and text else text
