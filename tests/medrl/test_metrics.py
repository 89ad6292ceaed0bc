"""Rollout metrics on two small groups, counted by hand."""

import re
from dataclasses import replace

import pytest

from medrl.metrics import GLOSSARY, rollout_metrics, staleness_metrics
from medrl.types import RolloutGroup, Step, ToolCall
from tests.medrl.episodes import FIND_DISEASE, FIND_GENE, TWO_HOPS, episode, final, group_of, rewarded, search

UNKNOWN_TOOL = Step("x", ToolCall("gogle", {}), "no such tool", "mistake", (), 0.3)
GROUPS = [
    RolloutGroup(
        TWO_HOPS,
        (
            rewarded(episode(replace(FIND_DISEASE, cached=True), FIND_GENE, final("FBN1")), 1.0),
            rewarded(episode(search("x", "bad", mistake=True), final("FBN2")), 0.0),
            rewarded(episode(Step("?", None, "", "malformed")), 0.0),
            rewarded(episode(UNKNOWN_TOOL, final("FBN1")), 1.0),
        ),
    ),
    RolloutGroup(TWO_HOPS, tuple(rewarded(episode(final("FBN1"), sample=i), 1.0, total=1.05) for i in range(2))),
]


def test_metrics_equal_a_count_by_hand() -> None:
    metrics = rollout_metrics(GROUPS, ["medical_retriever", "web_search"])
    expected = {
        "reward/task/mean": 4 / 6,
        "reward/total/mean": (2 + 2.1) / 6,
        "reward/task/std": (2 / 9) ** 0.5,
        "rollout/pass_rate": (0.5 + 1.0) / 2,
        "rollout/answered": 5 / 6,
        "rollout/constant_groups": 0.5,
        "rollout/episodes": 6.0,
        "rollout/turns": (3 + 2 + 1 + 2 + 1 + 1) / 6,
        "rollout/tool_calls": 4 / 6,
        "rollout/mistakes": 3 / 6,
        "rollout/tokens": 10.0,
        "rollout/action_tokens": 6.0,
        "rollout/ending/answered": 5 / 6,
        "rollout/ending/turn_limit": 1 / 6,
        "rollout/ending/tool_outage": 0.0,
        "tools/medical_retriever/calls": 3.0,
        "tools/medical_retriever/error_rate": 1 / 3,
        "tools/medical_retriever/latency_p95": 0.1,
        "tools/medical_retriever/cache_hit": 1 / 3,
        "tools/web_search/calls": 0.0,
    }
    assert {key: metrics[key] for key in expected} == pytest.approx(expected)
    assert "tools/web_search/error_rate" not in metrics and "tools/web_search/cache_hit" not in metrics
    assert not any("gogle" in key for key in rollout_metrics(GROUPS))


def test_every_key_is_explained_and_in_the_order_of_the_glossary() -> None:
    keys = [re.sub(r"^tools/[^/]+/", "tools/<name>/", key) for key in rollout_metrics(GROUPS, ["medical_retriever"])]
    keys += staleness_metrics(GROUPS, 0)
    assert keys == list(GLOSSARY)[: len(keys)]
    assert all(meaning.strip() for meaning in GLOSSARY.values())


def test_an_episode_without_reward_or_no_episode_is_refused() -> None:
    with pytest.raises(ValueError, match="no reward"):
        rollout_metrics([RolloutGroup(TWO_HOPS, (episode(final("FBN1")),))])
    with pytest.raises(ValueError, match="no episodes"):
        rollout_metrics([])


def test_staleness_is_counted_in_sampled_tokens() -> None:
    mixed, old = group_of(TWO_HOPS, 1.0), group_of(TWO_HOPS, 0.0)
    mixed.rollouts[0].versions[:] = [-1, 4, 5]
    old.rollouts[0].versions[:] = [-1, 2, 2]
    assert staleness_metrics([mixed, old], 5) == {
        "async/staleness_mean": (1 + 0 + 3 + 3) / 4,
        "async/staleness_max": 3.0,
        "async/mixed_episodes": 0.5,
    }
