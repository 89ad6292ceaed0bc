import threading
from dataclasses import replace
from pathlib import Path

import pytest

from launch.web.episodes import EpisodeIndex, Moved, part_order
from medrl.records import read_jsonl, to_jsonl, write_jsonl, write_text
from medrl.types import Rollout
from tests.launch.sample_run import question, rollout
from tests.launch.web.live_run import append_line, groups_of, write_live_run, write_step


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_live_run(tmp_path / "run")


def indexed(run: Path) -> EpisodeIndex:
    index = EpisodeIndex(run)
    index.update()
    return index


def test_the_index_is_what_a_full_reading_gives(run: Path) -> None:
    index = indexed(run)
    assert [part.name for part in index.parts()] == ["sft", "grpo-0000", "grpo-0001", "grpo-0002", "rl"]
    for part in index.parts():
        parsed = list(read_jsonl(run / "trajectories" / f"{part.name}.jsonl", Rollout))
        assert len(part.entries) == len(parsed) > 0
        for entry, episode in zip(part.entries, parsed, strict=True):
            assert index.episode(entry) == episode
            assert (entry.question_id, entry.sample) == (episode.question_id, episode.sample)
            assert (entry.reward, entry.ending) == (episode.reward, episode.ending)
            assert (entry.turns, len(entry.calls)) == (len(episode.steps), episode.num_tool_calls)
            assert (entry.tokens, entry.action_tokens) == (len(episode.token_ids), sum(episode.action_mask))
            called = [step for step in episode.steps if step.call is not None]
            assert [(call.tool, call.mistaken) for call in entry.calls] == [
                (step.call.name, step.status == "mistake") for step in called if step.call is not None
            ]
    assert index.progress() == (index.progress()[1],) * 2
    assert index.problems() == []


def test_appended_episodes_are_added_and_half_lines_left(run: Path) -> None:
    index, path = indexed(run), run / "trajectories" / "rl.jsonl"
    before = index.entries("rl")
    more = [replace(rollout(question(3), passed=True, calls=2), sample=sample) for sample in (1, 2)]
    append_line(path, more[0])
    whole = to_jsonl([more[1]])
    with path.open("a") as file:
        file.write(whole[:200])
    index.update()
    entries = index.entries("rl")
    assert entries[:-1] == before and index.episode(entries[-1]) == more[0]
    assert index.progress()[0] == index.progress()[1] - 200
    with path.open("a") as file:
        file.write(whole[200:])
    index.update()
    assert index.episode(index.entries("rl")[-1]) == more[1] and index.problems() == []


def test_a_part_written_again_replaces_the_old_one(run: Path) -> None:
    index = indexed(run)
    old = index.entries("grpo-0001")
    anew = list(groups_of(7))[3:]
    write_jsonl(run / "trajectories" / "grpo-0001.jsonl", anew)
    with pytest.raises(Moved):  # other letters stand at the old place
        index.episode(old[-1])
    index.update()
    assert [index.episode(entry) for entry in index.entries("grpo-0001")] == anew


def test_new_and_removed_parts(run: Path) -> None:
    index = indexed(run)
    write_step(run, 11)
    entry = index.entries("sft")[0]
    (run / "trajectories" / "sft.jsonl").unlink()
    index.update()
    assert [part.name for part in index.parts()] == ["grpo-0000", "grpo-0001", "grpo-0002", "grpo-0011", "rl"]
    with pytest.raises(Moved, match="sft is gone"):
        index.episode(entry)


def test_benchmarks_are_parts_too(run: Path) -> None:
    write_jsonl(run / "benchmarks" / "gaia" / "rl" / "trajectories.jsonl", list(groups_of(0))[:4])
    index = indexed(run)
    assert index.parts()[-1].name == "benchmarks/gaia/rl"
    assert index.episode(index.entries("benchmarks/gaia/rl")[2]) == list(groups_of(0))[2]


def test_lines_that_are_no_episodes_are_named(run: Path) -> None:
    path = run / "trajectories" / "rl.jsonl"
    good = path.read_text()
    write_text(path, good.replace("\n", '\n{"question_id": "q"}\n', 1) + "\x00\n")
    index = indexed(run)
    problems = index.problems()
    assert [(problem.file, problem.line) for problem in problems] == [
        ("trajectories/rl.jsonl", 2),
        ("trajectories/rl.jsonl", good.count("\n") + 2),
    ]
    assert "sample" in problems[0].message
    assert len(index.entries("rl")) == good.count("\n")


def test_reading_while_a_writer_appends_and_replaces(run: Path) -> None:
    """What is listed at any moment can be read, or is said to have moved; nothing is ever half."""
    index, ended = indexed(run), threading.Event()
    versions = [list(groups_of(step))[:8] for step in (20, 21, 22)]

    def write() -> None:
        for turn in range(60):
            write_jsonl(run / "trajectories" / "grpo-0002.jsonl", versions[turn % 3])
            append_line(run / "trajectories" / "rl.jsonl", versions[0][turn % 8])
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    read = 0
    while not ended.is_set() or read == 0:
        index.update()
        for entry in [*index.entries("grpo-0002")[:3], *index.entries("rl")[-3:]]:
            try:
                episode = index.episode(entry)
            except Moved:
                continue
            assert (episode.question_id, episode.sample) == (entry.question_id, entry.sample)
            read += 1
        assert index.problems() == []
    writer.join()
    index.update()
    assert [index.episode(entry) for entry in index.entries("grpo-0002")] == versions[2]
    assert len(index.entries("rl")) == 24 + 60


def test_parts_stand_in_the_order_of_the_run() -> None:
    mixed = [
        "rl",
        "benchmarks/x/rl",
        "grpo-0010",
        "sft-sampled",
        "grpo-9999",
        "grpo-10000",
        "base",
        "sft",
        "rl-sampled",
    ]
    assert sorted(mixed, key=part_order) == [
        "base",
        "sft",
        "sft-sampled",
        "grpo-0010",
        "grpo-9999",
        "grpo-10000",
        "rl",
        "rl-sampled",
        "benchmarks/x/rl",
    ]
