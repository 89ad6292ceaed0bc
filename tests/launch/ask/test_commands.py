import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from launch import cli
from launch.ask import opening
from launch.ask.agent import Agent
from launch.ask.events import STATEMENT
from launch.web import server
from tests.launch.ask.fakes import FBN1, scripted
from tests.launch.sample_run import write_sample_run


class Pool:
    async def watch(self) -> None:
        """No engine dies."""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def fake(chosen: object) -> Iterator[tuple[Agent, Pool]]:
        yield scripted(FBN1)[0], Pool()

    monkeypatch.setattr(opening, "choose", lambda *chosen: chosen)
    monkeypatch.setattr(opening, "check_ahead", lambda *_: None)
    monkeypatch.setattr(opening, "opened", fake)


def test_json_is_the_report_alone(opened: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", "Which gene?", "--model", "run", "--samples", "3", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["answer"], report["votes"], report["samples"], report["statement"]) == ("FBN1", 3, 3, STATEMENT)


def test_json_holds_no_control_characters(opened: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", "Which gene\x9b2J \u202e?", "--model", "run", "--json"]) == 0
    out = capsys.readouterr().out
    assert out.isascii() and json.loads(out)["question"] == "Which gene\x9b2J \u202e?"


def test_steps_then_the_answer_then_the_statement(opened: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", "Which gene?", "--model", "run"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.index("thinks") < text.index("Answer: FBN1 5 of 5 samples") and text.endswith(STATEMENT)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask", "Which gene?", "--model", "nowhere"], "nowhere: no run (config.yaml) and no model (config.json)"),
        (["serve", "nowhere"], "nowhere: no run (config.yaml) and no model (config.json)"),
        (["ask", " ", "--model", "nowhere"], "there is no question"),
    ],
)
def test_what_the_user_can_mend_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_question_too_long_is_one_line(opened: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", "word " * 500, "--model", "run"]) == 2
    assert capsys.readouterr().err.startswith("medrl: the question is too long")


def test_bytes_that_are_no_text_are_one_line(opened: None, capsys: pytest.CaptureFixture[str]) -> None:
    question = b"Which gene causes Sj\xf6gren-Larsson?".decode(errors="surrogateescape")  # as Python reads arguments
    assert cli.main(["ask", question, "--model", "run"]) == 2
    assert capsys.readouterr().err == "medrl: the question is not UTF-8: type it again, or mend the terminal's locale\n"


@pytest.mark.parametrize(("is_run", "start"), [(True, "medrl dashboard"), (False, "Ask")])
def test_serve_leads_to_pages_that_are_there(
    is_run: bool, start: str, opened: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = write_sample_run(tmp_path / "run") if is_run else None
    monkeypatch.setattr(opening, "choose", lambda *_: SimpleNamespace(run=run))
    served: list[Any] = []
    monkeypatch.setattr(server, "serve", lambda routes, port, greeting, *paths, beside: served.append((routes, paths)))
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert cli.main(["serve", "given"]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    ((routes, paths),) = served
    client = TestClient(server.application(routes), base_url="http://127.0.0.1:1234")
    assert paths == ("/ask", "/v1") and client.get("/ask").status_code == client.get("/v1/models").status_code == 200
    assert f"<title>{start}" in client.get("/").text
    assert client.get("/api/pages").json()[0]["path"] == ("/" if is_run else "/ask")
