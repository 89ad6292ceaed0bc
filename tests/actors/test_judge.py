"""The judge against a server that speaks the protocol, well and badly."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from actors.judge import EfficiencyJudge, ExpertJudge
from actors.reward import efficiency_rater, rate
from medrl.errors import ConfigError, InfrastructureError
from medrl.rewards import rubric_expert
from medrl.sections.endpoint import JudgeConfig
from medrl.sections.episodes import RewardConfig
from medrl.types import Ending, Rollout, Step, ToolCall
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


CALLED = Rollout(
    "q1",
    0,
    [1, 2],
    [False, True],
    [0.0, -1.0],
    [-1, 0],
    [Step("a", ToolCall("web_search", {"query": str(n)}), "nothing", "ok") for n in range(6)],
    Ending.TURN_LIMIT,
    None,
)


def efficiency_judge(server: MisbehavingServer, counted: float) -> EfficiencyJudge:
    config = JudgeConfig(url=server.url, model="expert", attempts=3, backoff_s=0.0, key_variable="OPENAI_API_KEY")
    return EfficiencyJudge(config, lambda question, rollout: counted)


@pytest.mark.parametrize(
    ("counted", "said", "penalty"),
    [(0.25, "needless: 3", 0.75), (0.75, "needless: 0", 0.75), (0.0, "needless: 0", 0.0), (0.5, "needless: 6", 1.0)],
)
def test_needless_calls_are_the_judge_s_count_or_the_rules_whichever_is_more(
    counted: float, said: str, penalty: float
) -> None:
    with MisbehavingServer([says(said)]) as server:
        assert efficiency_judge(server, counted)(question(), CALLED) == penalty
    assert "The agent made 6 calls" in server.requests[0].question


def test_nobody_is_asked_where_there_is_nothing_to_add() -> None:
    with MisbehavingServer([status(503)]) as server:
        assert efficiency_judge(server, 1.0)(question(), CALLED) == 1.0
        assert efficiency_judge(server, 0.0)(question(), ROLLOUT) == 0.0
        assert server.requests == []


@pytest.mark.parametrize("bad", [status(503), says("many"), says("needless: 7"), raw(b"{}")])
def test_an_episode_without_a_count_is_infrastructure_and_never_a_reward(bad: Behaviour) -> None:
    with MisbehavingServer([bad]) as server:
        judged = efficiency_judge(server, 0.0)
        with pytest.raises(InfrastructureError, match=r"^judge expert at 127.0.0.1:\d+: "):
            judged(question(), CALLED)
        unrated = rate(question(), CALLED, RewardConfig(), rubric_expert, judged)
    assert isinstance(unrated, InfrastructureError)


def test_the_configured_raters_are_the_ones_that_count() -> None:
    steps = [replace(each, choice=0.01, observation=f"nothing {n}") for n, each in enumerate(CALLED.steps[:2])]
    unlikely = replace(CALLED, steps=steps)
    assert efficiency_rater(RewardConfig())(question(), unlikely) == 0.0
    assert efficiency_rater(RewardConfig(irrelevant_below=0.05))(question(), unlikely) == 0.5
    with MisbehavingServer([says("needless: 1")]) as server:
        config = RewardConfig(efficiency_judge=JudgeConfig(url=server.url, model="expert"))
        assert efficiency_rater(config)(question(), unlikely) == 0.25
