import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from kisa import dataset, workshop
from kisa.dataset import synthesize
from kisa.entities import CorpusFrequency
from kisa.graph import KnowledgeGraph
from kisa.knowledge import build_knowledge, write_frequencies
from kisa.rounds import Round, RoundLog, key_of
from kisa.workshop import Made, Task
from medrl.config import Config
from medrl.errors import InfrastructureError
from tests import fakes
from tests.kisa.library import open_library
from tests.kisa.test_dataset import _config
from tests.tiny import tiny_tokenizer

MADE = Made(fakes.question(), None)


def test_rounds_are_read_back_and_a_torn_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "rounds.jsonl"
    log = RoundLog(path, "k")
    log.append(Round((MADE,)))
    log.append(Round(()))
    log.close(done=False)
    with path.open("ab") as file:
        file.write('{"made": [{"question": {"text": "Sjö'.encode()[:-1])  # inside a letter
    again = RoundLog(path, "k")
    assert list(again.rounds()) == [Round((MADE,)), Round(())]
    again.append(Round((MADE, MADE)))
    again.close(done=False)
    for key, expected in (("k", [1, 0, 2]), ("other", [])):
        log = RoundLog(path, key)
        assert [len(each.made) for each in log.rounds()] == expected
        log.close(done=False)
    assert len(path.read_text().splitlines()) == 1


def test_a_log_that_is_done_is_gone(tmp_path: Path) -> None:
    log = RoundLog(tmp_path / "rounds.jsonl", "k")
    log.close(done=True)
    assert not list(tmp_path.iterdir())


def test_the_key_is_of_what_the_questions_depend_on(tmp_path: Path) -> None:
    config = _config(tmp_path, tmp_path)
    assert key_of(config, tmp_path) == key_of(_config(tmp_path, tmp_path / "elsewhere", workers=4), tmp_path)
    assert key_of(config, tmp_path) == key_of(_config(tmp_path, tmp_path, benchmarks=["a.txt"]), tmp_path)
    for section, change in (
        ("kisa", {"walks": 3}),
        ("env", {"max_turns": 2}),
        ("model", {"max_length": 99}),
        ("knowledge", {"lam": 0.5}),
    ):
        values = config.model_dump()
        values[section] |= change
        assert key_of(config, tmp_path) != key_of(Config.model_validate(values), tmp_path), section
    assert key_of(config, tmp_path) != key_of(Config.model_validate(config.model_dump() | {"seed": 4}), tmp_path)
    assert key_of(config, tmp_path) != key_of(config, tmp_path / "knowledge-2")


def test_the_key_is_of_the_weights_that_the_teacher_goes_by_and_not_of_how_services_are_asked(tmp_path: Path) -> None:
    def key(weights: str | None, name: str = "tool_choice.json", **knowledge: object) -> str:
        path = tmp_path / name
        path.write_text(weights or "", encoding="utf-8")
        values = _config(tmp_path, tmp_path).model_dump()
        values["kisa"]["tool_choice"] = weights and str(path)
        values["knowledge"] |= knowledge
        return key_of(Config.model_validate(values), tmp_path)

    assert len({key(None), key("one"), key("other")}) == 3
    assert key("one", "elsewhere.json") == key("one")
    reader = {"url": "http://127.0.0.1:8000/v1", "model": "reader"}
    assert key(None, network={"attempts": 9}) == key(None)
    assert key(None, reader=reader | {"attempts": 9}) == key(None, reader=reader) != key(None)
    assert key(None, reader=reader | {"model": "other"}) != key(None, reader=reader)


def test_the_key_is_of_what_a_corpus_s_counts_say_not_of_where_they_are(tmp_path: Path) -> None:
    def key(path: Path | None) -> str:
        values = _config(tmp_path, tmp_path).model_dump()
        values["knowledge"]["frequencies"] = path and str(path)
        return key_of(Config.model_validate(values), tmp_path)

    one, same, other = (tmp_path / name for name in ("one.json", "same.json", "other.json"))
    for path, documents in ((one, 7), (same, 7), (other, 8)):
        write_frequencies(path, CorpusFrequency(documents, {"a": 1}))
    assert key(one) == key(same)
    assert len({key(None), key(one), key(other)}) == 3
    before = key(one)
    write_frequencies(one, CorpusFrequency(7, {"a": 2}))
    assert key(one) != before


def test_interrupted_after_any_round_it_makes_the_same_and_nothing_twice(
    folder: Path, tmp_path: Path, graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "open_toolbox", lambda *_, **__: open_library(graph))
    monkeypatch.setattr(dataset, "_SEEDS_A_ROUND", 1)
    config = _config(folder, tmp_path / "cache")
    knowledge = build_knowledge(config.knowledge)
    counts = synthesize(config, knowledge, tmp_path / "whole", tiny_tokenizer())
    out = tmp_path / "torn"
    made: list[Task] = []
    crew = workshop.crew

    class Interrupted(BaseException):
        pass

    def one_round_then_end(*arguments: Any) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def opened() -> Iterator[Any]:
            with crew(*arguments) as workers:
                rounds = 0
                make = workers.make

                def limited(tasks: Sequence[Task]) -> Iterator[Made | None]:
                    nonlocal rounds
                    rounds += 1
                    if rounds > 1:
                        raise Interrupted
                    made.extend(tasks)
                    return make(tasks)

                workers.make = limited  # type: ignore[method-assign]
                yield workers

        return opened()

    monkeypatch.setattr(dataset, "crew", one_round_then_end)
    interruptions = 0
    while True:
        try:
            assert synthesize(config, knowledge, out, tiny_tokenizer()) == counts
            break
        except Interrupted:
            interruptions += 1
            assert not (out / "questions.jsonl").exists()
    assert interruptions >= 3 and len(made) == len(set(made))
    for name in ("questions.jsonl", "trajectories.jsonl"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert sorted(path.name for path in out.iterdir()) == ["questions.jsonl", "trajectories.jsonl"]


@pytest.mark.slow
def test_the_number_of_workers_changes_no_byte(folder: Path, tmp_path: Path) -> None:
    for workers in (1, 2, 4):
        config = _config(folder, tmp_path / "cache", workers=workers)
        synthesize(config, build_knowledge(config.knowledge), tmp_path / str(workers), tiny_tokenizer())
    for name in ("questions.jsonl", "trajectories.jsonl"):
        whole = (tmp_path / "1" / name).read_bytes()
        assert whole == (tmp_path / "2" / name).read_bytes() == (tmp_path / "4" / name).read_bytes()
        assert json.loads(whole.splitlines()[0])


@pytest.mark.slow
def test_workers_that_are_killed_end_the_work_and_the_same_command_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "_SEEDS_A_ROUND", 1)
    config = _config(folder, tmp_path / "cache", workers=2)
    knowledge = build_knowledge(config.knowledge)
    synthesize(config, knowledge, tmp_path / "whole", tiny_tokenizer())
    append = RoundLog.append

    def kills_the_workers(log: RoundLog, finished: Round) -> None:
        append(log, finished)
        for child in psutil.Process().children():
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()

    with monkeypatch.context() as patched:
        patched.setattr(RoundLog, "append", kills_the_workers)
        with pytest.raises(InfrastructureError, match="a worker of the synthesis died"):
            synthesize(config, knowledge, tmp_path / "torn", tiny_tokenizer())
    assert not (tmp_path / "torn" / "questions.jsonl").exists()
    synthesize(config, knowledge, tmp_path / "torn", tiny_tokenizer())
    for name in ("questions.jsonl", "trajectories.jsonl"):
        assert (tmp_path / "torn" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
