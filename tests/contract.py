"""The contract: tests that hold a rule of the design, and the table of what they found.

    @pytest.mark.contract("rule", "what was checked")
    def test_...(record_property): ... record_property("figure", "3e-07")

`make contract` runs these alone and prints the table; a test without a figure of its own counts its cases.
"""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from _pytest.terminal import TerminalReporter

WIDTHS = (46, 74)


@dataclass(slots=True)
class Row:
    outcomes: Counter[str] = field(default_factory=Counter)
    figures: list[str] = field(default_factory=list)

    @property
    def figure(self) -> str:
        cases = sum(self.outcomes.values())
        shown = "; ".join(dict.fromkeys(self.figures)) or f"{cases} case{'s' * (cases != 1)}"
        return shown if set(self.outcomes) == {"passed"} else f"{shown} ({dict(self.outcomes)})"


def mark(items: list[pytest.Item]) -> None:
    """Let the reports of marked tests say which rule they are about."""
    for item in items:
        for marker in item.iter_markers("contract"):
            item.user_properties.append(("contract", " | ".join(marker.args)))


def print_table(reporter: TerminalReporter) -> None:
    """Rules in the order they ran; nothing if none did."""
    rows: dict[str, Row] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in reporter.stats.get(outcome, []):
            named = [value for name, value in getattr(report, "user_properties", []) if name == "contract"]
            for rule in named:
                row = rows.setdefault(str(rule), Row())
                row.outcomes[outcome] += 1
                row.figures += [str(value) for name, value in report.user_properties if name == "figure"]
    if not rows:
        return
    reporter.section("contract")
    for rule in sorted(rows):
        name, _, checked = rule.partition(" | ")
        reporter.write_line(f"{name:{WIDTHS[0]}} {checked:{WIDTHS[1]}} {rows[rule].figure}")
