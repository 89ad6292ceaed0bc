"""What is kept of an evaluation survives any end of the process, and is never mixed with what came about otherwise."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launch.benchmarks.results import Results
from medrl.errors import ConfigError, DataError
from medrl.matching import Verdict
from medrl.records import read_jsonl
from medrl.types import Rollout
from tests.launch.benchmarks.kept import ITEMS, rollout

ABOUT: dict[str, Any] = {"agent": {"weights": "a"}, "tools": ("x", "y"), "shares": {2: 0.5}}


def results(folder: Path, **changes: Any) -> Results:
    return Results(folder / "a-all", ABOUT | changes, ITEMS[:3])


def test_finished_episodes_are_not_missing_and_their_figures_are_kept(tmp_path: Path) -> None:
    with results(tmp_path) as kept:
        assert [(item.id, sample) for item, sample in kept.missing(2)] == [
            *(("i0", 0), ("i1", 0), ("i2", 0)),
            *(("i0", 1), ("i1", 1), ("i2", 1)),
        ]
        kept.add(rollout(ITEMS[1], "gen1", calls=2))
        kept.add(rollout(ITEMS[2], None))
    with results(tmp_path) as again:
        assert [(item.id, sample) for item, sample in again.missing(1)] == [("i0", 0)]
        right, silent = again.scored(1)
        assert (right.prediction, right.verdict, right.ending) == ("gen1", Verdict.CORRECT, "answered")
        assert (right.tool_calls, right.turns, right.tokens) == ({"medical_retriever": 1, "web_search": 1}, 3, 2)
        assert (silent.prediction, silent.verdict, silent.ending) == (None, Verdict.UNKNOWN, "turn_limit")
        assert [each.question_id for each in again.rollouts()] == ["i1", "i2"]


@pytest.mark.parametrize("cut", [1, 40, 200])
@pytest.mark.parametrize("name", ["items.jsonl", "trajectories.jsonl"])
def test_half_a_last_line_is_cut_off_and_nothing_else_is_lost(tmp_path: Path, name: str, cut: int) -> None:
    with results(tmp_path) as kept:
        kept.add(rollout(ITEMS[0], "NA"))
        kept.add(rollout(ITEMS[1], "GEN1"))
    path = tmp_path / "a-all" / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with results(tmp_path) as again:
        left = [item.id for item, _ in again.missing(1)]
        # the line of items.jsonl can be computed anew; without its trajectory the items' line still says what was said
        assert left == ["i2"]
        again.add(rollout(ITEMS[2], "GEN2"))
    assert len((tmp_path / "a-all" / "items.jsonl").read_bytes().splitlines()) == 3
    assert len({each.question_id for each in read_jsonl(tmp_path / "a-all" / "trajectories.jsonl", Rollout)}) >= 2


def test_killed_between_the_two_files_the_episode_is_not_played_again(tmp_path: Path) -> None:
    with results(tmp_path) as kept:
        kept.add(rollout(ITEMS[0], "NA"))
        kept._trajectories.append(rollout(ITEMS[1], "GEN1"))
    with results(tmp_path) as again:
        assert [item.id for item, _ in again.missing(1)] == ["i2"]
        assert [each.verdict for each in again.scored(1)] == [Verdict.CORRECT, Verdict.CORRECT]


def test_a_verdict_is_of_today_s_rules(tmp_path: Path) -> None:
    with results(tmp_path) as kept:
        kept.add(rollout(ITEMS[1], "GEN1"))
    path = tmp_path / "a-all" / "items.jsonl"
    path.write_text(path.read_text().replace('"correct"', '"incorrect"'))
    with results(tmp_path) as again:
        assert again.scored(1)[0].verdict is Verdict.CORRECT


@pytest.mark.parametrize("changes", [{"agent": {"weights": "b"}}, {"tools": ("x",)}, {"more": 1}])
def test_results_of_something_else_are_refused_in_one_line(tmp_path: Path, changes: dict[str, Any]) -> None:
    results(tmp_path).close()
    results(tmp_path).close()  # tuples and whole numbers as keys come back from JSON as other things, and are the same
    with pytest.raises(ConfigError, match=rf"came about otherwise \({next(iter(changes))}\): delete it") as refused:
        results(tmp_path, **changes)
    assert "\n" not in str(refused.value)


def test_other_items_stay_where_they_are_and_count_for_nothing(tmp_path: Path) -> None:
    with results(tmp_path) as kept:
        kept.add(rollout(ITEMS[2], "GEN2"))
    with Results(tmp_path / "a-all", ABOUT, ITEMS[:2]) as fewer:
        assert not fewer.scored(1) and not list(fewer.rollouts())
        assert [item.id for item, _ in fewer.missing(1)] == ["i0", "i1"]
    with results(tmp_path) as again:
        assert len(again.scored(1)) == 1


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    with results(tmp_path) as kept:
        kept.add(rollout(ITEMS[2], "GEN2"))
    (tmp_path / "a-all" / "items.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r"items.jsonl:1: item_id"):
        results(tmp_path)


def test_samples_beyond_those_asked_for_are_left_out(tmp_path: Path) -> None:
    with results(tmp_path) as kept:
        kept.add(rollout(ITEMS[0], "NA"))
        kept.add(replace(rollout(ITEMS[0], "GEN"), sample=1))
        assert len(kept.scored(1)) == 1 and len(kept.scored(2)) == 2
