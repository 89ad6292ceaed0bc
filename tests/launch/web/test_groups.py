import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch.web.episodes import EpisodeIndex
from launch.web.groups import Result, Wanted, list_groups
from launch.web.questions import Questions
from launch.web.search import find, words_of
from medrl.chat import thought_of
from medrl.records import read_jsonl, to_jsonl, write_jsonl
from medrl.types import Question, Rollout, ToolCall
from tests.launch.sample_run import question, rollout
from tests.launch.web.live_run import write_live_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_live_run(tmp_path_factory.mktemp("groups") / "run")


@pytest.fixture(scope="module")
def index(run: Path) -> EpisodeIndex:
    index = EpisodeIndex(run)
    index.update()
    return index


def parsed(run: Path) -> dict[tuple[str, str], list[Rollout]]:
    """The groups, by a plain reading of all files."""
    groups: dict[tuple[str, str], list[Rollout]] = {}
    for part in ("grpo-0002", "grpo-0001", "grpo-0000", "rl", "sft"):
        for episode in read_jsonl(run / "trajectories" / f"{part}.jsonl", Rollout):
            groups.setdefault((part, episode.question_id), []).append(episode)
    return groups


Rule = Callable[[list[Rollout], Question], bool]


def total(episode: Rollout) -> float:
    assert episode.reward is not None
    return episode.reward.total


def passes(group: list[Rollout]) -> list[bool]:
    return [episode.reward is not None and episode.reward.task == 1.0 for episode in group]


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        (Wanted(), lambda group, asked: True),
        (Wanted(result=Result.CORRECT), lambda group, asked: all(passes(group))),
        (Wanted(result=Result.WRONG), lambda group, asked: not any(passes(group))),
        (Wanted(result=Result.MIXED), lambda group, asked: len(set(passes(group))) == 2),
        (Wanted(ending="answered", min_calls=4), lambda group, asked: any(e.num_tool_calls >= 4 for e in group)),
        (Wanted(ending="turn_limit"), lambda group, asked: False),
        (Wanted(tool="medical_retriever"), lambda group, asked: True),
        (Wanted(tool="web_search"), lambda group, asked: False),
        (Wanted(hops=3), lambda group, asked: asked.hops == 3),
        (Wanted(specialty="cardiology"), lambda group, asked: asked.specialty == "cardiology"),
        (Wanted(specialty="neurology"), lambda group, asked: False),
        (Wanted(min_reward=0.9), lambda group, asked: any(total(e) >= 0.9 for e in group)),
        (Wanted(max_reward=-0.2), lambda group, asked: any(total(e) <= -0.2 for e in group)),
        (Wanted(min_reward=0.8, max_reward=0.85), lambda group, asked: any(0.8 <= total(e) <= 0.85 for e in group)),
        (
            Wanted(max_reward=0.0, min_calls=4),
            lambda group, asked: any(total(e) <= 0.0 and e.num_tool_calls >= 4 for e in group),
        ),
    ],
)
def test_filters_are_what_they_say(run: Path, index: EpisodeIndex, wanted: Wanted, rule: Rule) -> None:
    asked = {each.id: each for each in read_jsonl(run / "data" / "questions.jsonl", Question)}
    expected = [key for key, group in parsed(run).items() if rule(group, asked[key[1]])]
    listing = list_groups(index, Questions(run), wanted, 0, 1000)
    assert [(row["part"], row["question_id"]) for row in listing.rows] == expected
    assert (listing.total, listing.next) == (len(expected), None)
    inside = list_groups(index, Questions(run), replace(wanted, part="grpo-0001"), 0, 1000)
    expected_inside = [key for key in expected if key[0] == "grpo-0001"]
    assert [(row["part"], row["question_id"]) for row in inside.rows] == expected_inside


def test_a_row_sums_its_group_up(run: Path, index: EpisodeIndex) -> None:
    for row in list_groups(index, Questions(run), Wanted(part="grpo-0001"), 0, 100).rows:
        group = parsed(run)[row["part"], row["question_id"]]
        assert row["correct"] == passes(group)
        assert row["rewards"] == [total(episode) for episode in group]
        assert row["pass_rate"] == sum(passes(group)) / len(group)
        assert row["calls"] == sum(episode.num_tool_calls for episode in group) / len(group)


def test_pages_join_up(run: Path, index: EpisodeIndex) -> None:
    rows, start = [], 0
    while True:
        listing = list_groups(index, Questions(run), Wanted(), start, 7)
        rows += listing.rows
        if listing.next is None:
            break
        start = listing.next
    assert rows == list_groups(index, Questions(run), Wanted(), 0, 1000).rows
    assert listing.total == len(rows)


def written(episode: Rollout, asked: Question) -> str:
    """All that is searched of an episode, in one text."""
    texts = [asked.text, episode.answer or ""]
    for step in episode.steps:
        thought = thought_of(step.text)
        texts += [thought or ("" if step.call else step.text), step.observation]
        if step.call:
            texts.append(step.call.name + " " + json.dumps(dict(step.call.arguments), ensure_ascii=False))
    return "\n".join(texts).lower()


@pytest.mark.parametrize(
    "text",
    ["documents findings", "BRCA2", "FINDING 2", '"query":', "alert(", "nowhere", "number 7?", "<script>", "the"],
)
def test_search_finds_what_a_plain_search_finds(run: Path, index: EpisodeIndex, text: str) -> None:
    asked = {each.id: each for each in read_jsonl(run / "data" / "questions.jsonl", Question)}
    words = text.lower().split()
    expected = [
        key
        for key, group in parsed(run).items()
        if any(all(word in written(episode, asked[key[1]]) for word in words) for episode in group)
    ]
    listing = list_groups(index, Questions(run), Wanted(text=text), 0, 1000, budget_s=60.0)
    assert [(row["part"], row["question_id"]) for row in listing.rows] == expected
    assert all(words[0] in row["hit"]["text"].lower() for row in listing.rows)


def test_a_search_out_of_time_says_where_it_stopped(run: Path, index: EpisodeIndex) -> None:
    found, start, asked, questions = [], 0, 0, Questions(run)
    wanted = Wanted(part="grpo-0001", text="brca2")
    while True:
        listing = list_groups(index, questions, wanted, start, 1000, budget_s=0.0)
        found += listing.rows
        asked += 1
        if listing.next is None:
            break
        assert listing.next > start
        start = listing.next
    assert found == list_groups(index, questions, wanted, 0, 1000, budget_s=60.0).rows
    assert asked == listing.total


SOME = st.text(st.sampled_from('aBéßİK"\\/\n x\u2028<'), max_size=8)


@given(SOME, SOME, SOME, st.booleans())
def test_no_line_is_ruled_out_that_holds_the_words(query: str, thought: str, argument: str, escaped: bool) -> None:
    """Lines are looked at as bytes first; the oracle looks at the parsed texts alone."""
    asked = question(0)
    played = rollout(asked, passed=True, calls=1)
    step = replace(
        played.steps[0], text=f"<think>{thought}</think>…", call=ToolCall("t", {"q": argument}), observation=argument
    )
    played.steps[0] = step
    line = to_jsonl([played]).encode()
    if escaped:
        line = json.dumps(json.loads(line)).encode() + b"\n"
    words = words_of(query)
    if not words:
        return
    hit = find(words, asked, line, lambda: played)
    assert (hit is not None) == all(word in written(played, asked) for word in words)


def test_a_part_that_is_replaced_under_a_search_is_passed_over(run: Path, tmp_path: Path) -> None:
    copy = write_live_run(tmp_path / "run", steps=1)
    index = EpisodeIndex(copy)
    index.update()
    write_jsonl(copy / "trajectories" / "rl.jsonl", [])
    found = list_groups(index, Questions(copy), Wanted(text="documents"), 0, 1000, time.monotonic())
    assert {row["part"] for row in found.rows} == {"sft", "grpo-0000"}


def test_what_was_not_scored_is_not_wrong(tmp_path: Path) -> None:
    """Benchmarks keep their verdicts apart: none of their episodes has a reward."""
    played = [replace(rollout(question(0), passed=False, calls=1), sample=sample) for sample in range(2)]
    write_jsonl(
        tmp_path / "benchmarks" / "gaia" / "rl-all" / "trajectories.jsonl", [replace(x, reward=None) for x in played]
    )
    write_jsonl(tmp_path / "trajectories" / "rl.jsonl", [played[0], replace(played[1], reward=None)])
    index = EpisodeIndex(tmp_path)
    index.update()
    every = list_groups(index, Questions(tmp_path), Wanted(), 0, 10).rows
    assert [(row["pass_rate"], row["correct"]) for row in every] == [(0.0, [False, None]), (None, [None, None])]
    wrong = list_groups(index, Questions(tmp_path), Wanted(result=Result.WRONG), 0, 10).rows
    assert [row["part"] for row in wrong] == ["rl"]
    assert every[0]["question"] is None  # the run has no questions, and says so
