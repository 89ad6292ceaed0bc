"""Records that a reader left out because they are malformed: counted by reason, so that nothing goes unnoticed."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Skipped:
    """What was left out of one file. `reasons`: how often each; `first`: where each was met first."""

    path: Path
    reasons: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Records left out."""
        return self.reasons.total()

    def add(self, reason: str, where: str) -> None:
        """Count one record. `where`: a line or an identifier."""
        self.reasons[reason] += 1
        self.first.setdefault(reason, where)

    def describe(self) -> str:
        """One line for people; empty if nothing was left out."""
        if not self.reasons:
            return ""
        parts = (f"{count} with {reason} (first: {self.first[reason]})" for reason, count in self.reasons.most_common())
        return f"{self.path}: left out {'; '.join(parts)}"
