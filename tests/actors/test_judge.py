"""The judge against a server that speaks the protocol, well and badly."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from actors.judge import ExpertJudge
from medrl.errors import ConfigError, InfrastructureError
from medrl.sections.endpoint import JudgeConfig
from medrl.types import Ending, Rollout, Step
from tests.fakes import question
from tests.misbehaving import Behaviour, MisbehavingServer, breaks_off, raw, says, status

ROLLOUT = Rollout(
    "q1", 0, [1, 2], [False, True], [0.0, -1.0], [-1, 0], [Step("a", None, "", "answer")], Ending.ANSWERED, "FBN1"
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def judge(server: MisbehavingServer) -> ExpertJudge:
    return ExpertJudge(
        JudgeConfig(url=server.url, model="expert", attempts=3, backoff_s=0.0, key_variable="OPENAI_API_KEY")
    )


def test_rating_is_read_and_the_key_is_sent() -> None:
    with MisbehavingServer([says("well supported\nrating: 7")]) as server:
        assert judge(server)(question(), ROLLOUT) == pytest.approx(0.7)
    (asked,) = server.requests
    assert asked.headers["authorization"] == "Bearer secret"
    assert (asked.body["model"], asked.body["temperature"], asked.body["max_tokens"]) == ("expert", 0.0, 256)
    assert [each["role"] for each in asked.body["messages"]] == ["system", "user"]
    assert "final answer: FBN1" in asked.question


def test_it_tries_again_warmer_once_the_judge_has_said_nothing_of_use() -> None:
    with MisbehavingServer([status(503), says("no idea"), says("rating: 10")]) as server:
        assert judge(server)(question(), ROLLOUT) == 1.0
    assert [asked.body["temperature"] for asked in server.requests] == [0.0, 0.0, 0.7]


@pytest.mark.parametrize(
    ("bad", "attempts"),
    [
        (status(503), 3),
        (breaks_off, 3),
        (says("no idea"), 3),
        (raw(b"<html>"), 3),
        (raw(b"{}"), 3),
        (status(400, json.dumps({"error": "longer than 2048 tokens"})), 1),  # another episode may be shorter
    ],
)
def test_an_episode_without_a_rating_is_infrastructure(bad: Behaviour, attempts: int) -> None:
    with MisbehavingServer([bad]) as server:
        with pytest.raises(InfrastructureError, match=r"^judge expert at 127.0.0.1:\d+: ") as caught:
            judge(server)(question(), ROLLOUT)
        assert len(server.requests) == attempts
    assert "secret" not in str(caught.value)


def test_a_wrong_key_is_a_mistake_in_the_configuration() -> None:
    with MisbehavingServer([status(401)]) as server:
        with pytest.raises(ConfigError, match="does not take the key in OPENAI_API_KEY"):
            judge(server)(question(), ROLLOUT)
        assert len(server.requests) == 1


def test_several_threads_ask_at_once() -> None:
    with MisbehavingServer([says("rating: 7")]) as server, ThreadPoolExecutor(4) as pool:
        asked = judge(server)
        assert list(pool.map(lambda _: asked(question(), ROLLOUT), range(12))) == [0.7] * 12
