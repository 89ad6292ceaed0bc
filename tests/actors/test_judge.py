"""The judge's client against a server that speaks the protocol, well and badly."""

import json
from collections.abc import Callable

import httpx
import pytest

import actors.judge
from actors.judge import ExpertJudge
from medrl.errors import InfrastructureError
from medrl.sections import RewardConfig
from medrl.types import Ending, Rollout, Step
from tests.fakes import question

CONFIG = RewardConfig(judge_url="http://127.0.0.1:9/v1", judge_model="expert")
ROLLOUT = Rollout(
    "q1", 0, [1, 2], [False, True], [0.0, -1.0], [-1, 0], [Step("a", None, "", "answer")], Ending.ANSWERED, "FBN1"
)


def judge(handler: Callable[[httpx.Request], httpx.Response], monkeypatch: pytest.MonkeyPatch) -> ExpertJudge:
    monkeypatch.setattr(actors.judge, "RETRY_AFTER_S", 0.0)
    return ExpertJudge(CONFIG, httpx.Client(transport=httpx.MockTransport(handler)))


def reply(text: str) -> httpx.Response:
    return httpx.Response(200, json={"choices": [{"message": {"content": text}}]})


def test_rating_is_read_and_the_key_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return reply("well supported\nrating: 7")

    assert judge(handler, monkeypatch)(question(), ROLLOUT) == pytest.approx(0.7)
    assert seen[0].headers["authorization"] == "Bearer secret"
    assert json.loads(seen[0].content)["model"] == "expert"


def test_it_tries_again_and_then_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [httpx.Response(503), reply("no idea"), reply("rating: 10")]
    assert judge(lambda request: answers.pop(0), monkeypatch)(question(), ROLLOUT) == 1.0
    for bad in (
        httpx.Response(503),
        reply("no idea"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={}),
    ):
        with pytest.raises(InfrastructureError, match="judge expert"):
            judge(lambda request, bad=bad: bad, monkeypatch)(question(), ROLLOUT)
