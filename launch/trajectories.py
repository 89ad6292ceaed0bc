"""Whole episodes on disk: runs/<name>/trajectories/<part>.jsonl, one medrl.types.Rollout a line."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from medrl.records import write_jsonl
from medrl.types import RolloutGroup


class TrajectoryLog:
    """Writes a part at a time, whole or not at all; a part written again replaces the old one."""

    def __init__(self, run_path: Path) -> None:
        self._folder = run_path / "trajectories"

    def write(self, part: str, groups: Sequence[RolloutGroup]) -> Path:
        """Write the groups' episodes as `<part>.jsonl`; returns its path."""
        path = self._folder / f"{part}.jsonl"
        write_jsonl(path, _rollouts(groups))
        return path


def _rollouts(groups: Iterable[RolloutGroup]) -> Iterable[object]:
    return (rollout for group in groups for rollout in group.rollouts)
