import threading
from pathlib import Path

import pytest

from launch.run_files import read_questions
from launch.web.questions import Questions
from medrl.records import write_jsonl
from medrl.types import Question
from tests.launch.sample_run import question


def test_questions_are_read_when_asked_for_and_again_when_they_changed(tmp_path: Path) -> None:
    questions = Questions(tmp_path)
    assert questions.get("q000") is None
    assert "questions.jsonl" in questions.problems[0].message
    write_jsonl(tmp_path / "data" / "questions.jsonl", [question(0)])
    assert questions.get("q000") == question(0) and questions.problems == []
    write_jsonl(tmp_path / "data" / "questions.jsonl", [question(0), question(1)])
    assert questions.get("q001") == question(1)
    assert questions.get("q002") is None


def test_who_asks_while_another_reads_gets_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_jsonl(tmp_path / "data" / "questions.jsonl", [question(0)])
    reading, go_on = threading.Event(), threading.Event()

    def slow(run: Path) -> dict[str, Question]:
        reading.set()
        assert go_on.wait(20)
        return read_questions(run)

    monkeypatch.setattr("launch.web.questions.read_questions", slow)
    questions, found = Questions(tmp_path), []
    askers = [threading.Thread(target=lambda: found.append(questions.get("q000"))) for _ in range(3)]
    askers[0].start()
    assert reading.wait(20)
    for asker in askers[1:]:
        asker.start()
    go_on.set()
    for asker in askers:
        asker.join()
    assert found == [question(0)] * 3
