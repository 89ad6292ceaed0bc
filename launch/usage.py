"""Whether engines and rollout workers had something to do, step by step."""

from collections.abc import Mapping
from statistics import fmean

from actors.meter import Reading
from launch.players import Life, Players


class Usage:
    """Metrics of the time since they were last asked for."""

    def __init__(self, players: Players) -> None:
        self._players = players
        self._last = players.readings()

    def metrics(self) -> dict[str, float]:
        """`perf/*`, means over those that lived all the time; what nobody did is left out."""
        before, self._last = self._last, self._players.readings()
        return usage_metrics(before, self._last)


def usage_metrics(before: Mapping[Life, Reading], after: Mapping[Life, Reading]) -> dict[str, float]:
    """Of the same lives at two times."""
    spans = {
        life: (after[life].age_s - first.age_s, after[life].busy_s - first.busy_s, after[life].load_s - first.load_s)
        for life, first in before.items()
        if life in after and after[life].age_s > first.age_s
    }
    metrics: dict[str, float] = {}
    for kind, name, unit in (("engine", "engine", "requests"), ("rollout", "worker", "episodes")):
        own = [span for life, span in spans.items() if life.kind == kind]
        if own:
            metrics[f"perf/{name}_busy"] = fmean(busy_s / passed_s for passed_s, busy_s, _ in own)
            metrics[f"perf/{name}_{unit}"] = fmean(load_s / passed_s for passed_s, _, load_s in own)
    return metrics
