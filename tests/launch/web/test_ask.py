"""The stream behind the page /ask."""

import json
import threading
import time
from typing import Any

import httpx
import pytest

from launch.ask.agent import MOST_QUESTIONS, MOST_SAMPLES
from launch.web.live import MOST_BYTES
from tests.launch.ask.fakes import BRCA2, DOWN, FBN1, Script, scripted
from tests.launch.ask.serving import serving

QUESTION = {"question": "Which gene causes pectus carinatum?"}


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    blocks = answer.text.removesuffix("\n\n").split("\n\n")
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


def until_cancelled(script: Script, count: int) -> None:
    for _ in range(500):
        if script.cancelled == count:
            return
        time.sleep(0.01)
    pytest.fail(f"{script.cancelled} of {count} requests were cancelled")


def test_a_question_is_a_stream_that_ends_with_the_report() -> None:
    with serving(scripted(BRCA2, FBN1, FBN1)[0]) as address:
        told = events(httpx.post(f"{address}/api/ask", json=QUESTION | {"samples": 3}))
    assert [each["type"] for each in told if each.get("sample") == 0 and each["type"] != "said"] == [
        "began",
        "acted",
        "observed",
        "acted",
        "ended",
    ]
    report = told[-1]
    assert (report["type"], report["answer"], report["votes"], report["rivals"]) == (
        "report",
        "FBN1",
        2,
        [{"answer": "BRCA2", "votes": 1}],
    )
    assert report["citations"][0]["document"] == "OMIM:154700"


def test_steps_arrive_before_the_end() -> None:
    gate = threading.Event()
    with (
        serving(scripted(FBN1, gate=gate)[0]) as address,
        httpx.stream("POST", f"{address}/api/ask", json=QUESTION | {"samples": 1}) as answer,
    ):
        lines = answer.iter_lines()
        assert any('"observed"' in line for line in lines)
        gate.set()  # only now may the second turn be sampled
        assert any('"report"' in line for line in lines)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"question": " "}, "there is no question"),
        ({"question": "word " * 2000}, "too long"),
        ({"question": "x" * MOST_BYTES}, "too long"),
        (QUESTION | {"samples": 0}, "samples: "),
        (QUESTION | {"samples": MOST_SAMPLES + 1}, "samples: "),
        (QUESTION | {"model": "x"}, "model: "),
        ([], "dictionary"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_one_line(body: Any, said: str) -> None:
    with serving(scripted(FBN1)[0]) as address:
        answer = httpx.post(f"{address}/api/ask", json=body)
        assert httpx.post(f"{address}/api/ask", content=b"{").json() == {"error": "the request is not JSON"}
    assert answer.status_code == 400 and said in answer.json()["error"] and "\n" not in answer.json()["error"]


@pytest.mark.parametrize("path", ["/api/ask", "/v1/chat/completions"])
def test_half_a_letter_is_no_text(path: str) -> None:
    body = rb'{"question": "\ud800", "model": "small-rl", "messages": [{"role": "user", "content": "\ud83e?"}]}'
    with serving(scripted(FBN1)[0]) as address:
        answer = httpx.post(f"{address}{path}", content=body)
    assert answer.status_code == 400 and "half a letter" in answer.text


def test_what_infrastructure_fails_under_is_told_in_the_stream() -> None:
    with serving(scripted((DOWN,))[0]) as address:
        told = events(httpx.post(f"{address}/api/ask", json=QUESTION))
    assert told[-1] == {"type": "error", "error": "the question could not be played: engine-0 has died"}


def test_who_leaves_ends_the_episodes() -> None:
    agent, script = scripted(FBN1, gate=threading.Event())
    with serving(agent) as address:
        with httpx.stream("POST", f"{address}/api/ask", json=QUESTION | {"samples": 3}) as answer:
            next(answer.iter_lines())
        until_cancelled(script, 3)


def test_too_many_questions_are_told_to_come_back() -> None:
    gate = threading.Event()
    agent, script = scripted(FBN1, gate=gate)
    one = QUESTION | {"samples": 1}
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(httpx.post(f"{address}/api/ask", json=one, timeout=60))

    with serving(agent) as address:
        threads = [threading.Thread(target=ask) for _ in range(MOST_QUESTIONS)]
        for thread in threads:
            thread.start()
        while sum(request.endswith("/1") for request, _, _ in script.requests) < MOST_QUESTIONS:
            time.sleep(0.01)  # until all of them wait at the gate
        refused = httpx.post(f"{address}/api/ask", json=one)
        gate.set()
        for thread in threads:
            thread.join()
        assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0
        assert [events(answer)[-1]["answer"] for answer in answers] == ["FBN1"] * MOST_QUESTIONS
        assert events(httpx.post(f"{address}/api/ask", json=one))[-1]["answer"] == "FBN1"


def test_another_site_may_not_ask() -> None:
    with serving(scripted(FBN1)[0]) as address:
        for path in ("/api/ask", "/v1/chat/completions"):
            assert httpx.post(f"{address}{path}", json=QUESTION, headers={"Origin": "http://evil"}).status_code == 403
