"""Figures of each part, from its episodes: rewards by term, endings, tools."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from launch.web.episodes import Call, Entry
from launch.web.groups import Result, grouped, pass_rate, result_of


def part_figures(entries: Sequence[Entry]) -> dict[str, Any]:
    """Of the episodes of one part, or of all parts together.

    {"episodes", "groups", "mixed": groups with right and wrong episodes, "pass_rate": mean over scored groups,
    "reward": means over scored episodes by term, None without any, "endings": counts, "turns", "calls", "tokens",
    "duration_s": means, "tools": `tool_figures`}
    """
    groups = grouped(entries)
    rewards = [entry.reward for entry in entries if entry.reward is not None]
    terms = {
        "total": [reward.total for reward in rewards],
        "task": [reward.task for reward in rewards],
        "expert": [reward.expert for reward in rewards],
        "efficiency": [reward.efficiency for reward in rewards],
    }
    return {
        "episodes": len(entries),
        "groups": len(groups),
        "mixed": sum(result_of(group) is Result.MIXED for group in groups),
        "pass_rate": _mean([rate for group in groups if (rate := pass_rate(group)) is not None]),
        "reward": {term: fmean(values) for term, values in terms.items()} if rewards else None,
        "endings": dict(Counter(str(entry.ending) for entry in entries).most_common()),
        "turns": _mean([entry.turns for entry in entries]),
        "calls": _mean([len(entry.calls) for entry in entries]),
        "tokens": _mean([entry.tokens for entry in entries]),
        "duration_s": _mean([entry.duration_s for entry in entries]),
        "tools": tool_figures([call for entry in entries for call in entry.calls]),
    }


def tool_figures(calls: Sequence[Call]) -> dict[str, dict[str, float]]:
    """By tool: calls, share of mistakes, share of answers that were known, latency in seconds (median, p95)."""
    names = sorted({call.tool for call in calls})
    return {name: _of_tool([call for call in calls if call.tool == name]) for name in names}


def _of_tool(calls: Sequence[Call]) -> dict[str, float]:
    p50, p95 = np.quantile([call.latency_s for call in calls], [0.5, 0.95])
    return {
        "calls": len(calls),
        "error_rate": fmean(call.mistaken for call in calls),
        "cache_hit": fmean(call.cached for call in calls),
        "latency_p50": float(p50),
        "latency_p95": float(p95),
    }


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
