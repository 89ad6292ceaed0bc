"""The episode loop: what is recorded, and every way to end."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from envs.react import ReactEnv, run_episode
from envs.tools.base import ToolResult
from medrl.chat import ChatCodec, render_answer, render_call
from medrl.errors import ToolOutage
from medrl.sections.episodes import EnvConfig
from medrl.state import Fact, Status
from medrl.types import Completion, Ending, Rollout, Sampling, ToolCall
from tests.fakes import FakeTool, ScriptedGenerate, question
from tests.tiny import tiny_tokenizer

LIMITS = EnvConfig(max_turns=4, max_turn_tokens=200, observation_tokens=100)
SAMPLING = Sampling(1.0, 200, seed=7)


def call(query: str, tool: str = "medical_retriever") -> str:
    return render_call("look", ToolCall(tool, {"query": query}))


@pytest.fixture(scope="module")
def codec() -> ChatCodec:
    return ChatCodec(tiny_tokenizer())


def play(codec: ChatCodec, turns: list[str], max_length: int = 4000) -> tuple[Rollout, ScriptedGenerate]:
    env = ReactEnv(question(), {"medical_retriever": FakeTool({"a": "see b"})}, codec, LIMITS, max_length)
    generate = ScriptedGenerate(codec, turns)
    return asyncio.run(run_episode(env, generate, SAMPLING, "r")), generate


@pytest.mark.contract("0 tokens in, tokens out", "trained tokens are the sampled ones, turn by turn")
def test_answered_episode_keeps_sampled_tokens(codec: ChatCodec) -> None:
    turns = [call("a"), render_answer("done", "FBN1")]
    rollout, generate = play(codec, turns)
    assert rollout.ending is Ending.ANSWERED and rollout.answer == "FBN1" and rollout.num_tool_calls == 1
    acted = [token for token, mask in zip(rollout.token_ids, rollout.action_mask, strict=True) if mask]
    assert acted == codec.encode_action(turns[0]) + codec.encode_action(turns[1])
    for mask, logprob, version in zip(rollout.action_mask, rollout.logprobs, rollout.versions, strict=True):
        assert (logprob, version) == ((-0.5, 3) if mask else (0.0, -1))
    # the second turn was asked to continue exactly what was recorded before it
    assert rollout.token_ids[: len(generate.requests[1][0])] == generate.requests[1][0]
    assert rollout.steps[0].sources == ("doc-a",) and rollout.steps[0].observation == "see b"


def test_turns_have_seeds_of_their_own_but_repeatable(codec: ChatCodec) -> None:
    first, second = (play(codec, [call("a"), render_answer("t", "x")])[1] for _ in range(2))
    seeds = [request[1].seed for request in first.requests]
    assert len(set(seeds)) == 2
    assert seeds == [request[1].seed for request in second.requests]


@pytest.mark.parametrize(
    ("turns", "ending"),
    [
        (["It is FBN1."], Ending.NO_TOOL_CALL),
        (["word " * 100], Ending.TOKEN_LIMIT),
        ([call("a")] * 4, Ending.TURN_LIMIT),
        ([call("zzz"), "<tool_call>{nope}</tool_call>", call("zzz")], Ending.MISTAKE_LIMIT),
        ([call("zzz"), call("zzz"), call("a"), call("zzz")], Ending.TURN_LIMIT),  # not in a row
    ],
)
def test_endings(codec: ChatCodec, turns: list[str], ending: Ending) -> None:
    rollout, _ = play(codec, turns)
    assert rollout.ending is ending and rollout.answer is None


def test_time_counts_where_the_policy_spends_it(codec: ChatCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour's wait for the engine ends nothing; a call that takes longer than there is ends the episode."""
    clock = [0.0]
    monkeypatch.setattr("envs.react.time.monotonic", lambda: clock[0])

    class Slow(ScriptedGenerate):
        async def __call__(self, token_ids: list[int], *, sampling: Sampling, request_id: str) -> Completion:
            clock[0] += 3600.0
            return await super().__call__(token_ids, sampling=sampling, request_id=request_id)

    class SlowTool(FakeTool):
        async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
            clock[0] += float(arguments["query"])
            return ToolResult("seen")

    def ending(*seconds: int) -> Ending:
        env = ReactEnv(question(), {"medical_retriever": SlowTool({})}, codec, LIMITS, 4000)
        turns = [*(call(str(each)) for each in seconds), render_answer("done", "FBN1")]
        return asyncio.run(run_episode(env, Slow(codec, turns), SAMPLING, "r")).ending

    assert ending(50, 60) is Ending.ANSWERED
    assert ending(50, 71) is Ending.TIME_LIMIT


def test_episode_never_outgrows_max_length(codec: ChatCodec) -> None:
    rollout, _ = play(codec, [call("a")] * 4, max_length=800)
    assert rollout.ending is Ending.TOKEN_LIMIT and len(rollout.token_ids) <= 800


@pytest.mark.contract("7 four kinds of failure", "the policy's mistakes are text in the observation")
@pytest.mark.parametrize(
    ("turn", "status", "said"),
    [
        (call("zzz"), "mistake", "nothing under 'zzz'"),
        (call("a", tool="teleport"), "mistake", "no tool 'teleport'"),
        ("<tool_call>{nope}</tool_call>", "malformed", "not JSON"),
    ],
)
def test_the_model_sees_its_mistakes(codec: ChatCodec, turn: str, status: str, said: str) -> None:
    rollout, generate = play(codec, [turn, render_answer("t", "FBN1")])
    assert rollout.steps[0].status == status and said in rollout.steps[0].observation
    assert said in codec.tokenizer.decode(generate.requests[1][0])


@pytest.mark.contract("7 four kinds of failure", "an outage is raised, not scored")
def test_an_outage_is_raised_not_scored(codec: ChatCodec) -> None:
    with pytest.raises(ToolOutage):
        play(codec, [call("down")])


def test_acting_after_the_end_is_refused(codec: ChatCodec) -> None:
    env = ReactEnv(question(), {}, codec, LIMITS, 4000)
    with pytest.raises(ValueError, match="not ended"):
        env.rollout()
    asyncio.run(env.act(codec.encode_action(render_answer("t", "x"))))
    with pytest.raises(ValueError, match="has ended"):
        asyncio.run(env.act([1]))


def test_the_state_is_kept_beside_the_conversation(codec: ChatCodec) -> None:
    """Facts that were cut from the observation are not known; a mistake teaches nothing."""

    class Stating(FakeTool):
        async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
            if arguments["query"] == "bad":
                return ToolResult("bad", is_mistake=True, facts=(Fact("a", "gene", "b", "d"),))
            facts = (Fact("Marfan syndrome", "gene", "FBN1", "d"), Fact("Marfan syndrome", "gene", "ZZZ9", "d"))
            return ToolResult("Marfan syndrome (d): Gene: FBN1; " + "x" * 400 + "; ZZZ9.", ("d",), facts=facts)

    env = ReactEnv(question(), {"medical_retriever": Stating({})}, codec, LIMITS, 4000)
    for turn in (call("bad"), call("Marfan syndrome gene"), render_answer("done", "FBN1")):
        asyncio.run(env.act(codec.encode_action(turn)))
    state = env.rollout().state
    assert state.facts == (Fact("Marfan syndrome", "gene", "FBN1", "d", 2),)
    assert state.paths == (("Marfan syndrome", "FBN1"),)
    assert [(each.name, each.status, each.turn) for each in state.hypotheses] == [("FBN1", Status.CONFIRMED, 3)]


def test_without_tools_the_question_is_asked_closed_book(codec: ChatCodec) -> None:
    env = ReactEnv(question(), {}, codec, LIMITS, 4000)
    told = env.opening[0].content
    assert "tool_call" not in told and "Tools:" not in told and "<answer>" in told
    rollout = asyncio.run(
        run_episode(env, ScriptedGenerate(codec, [call("a"), render_answer("t", "x")]), SAMPLING, "r")
    )
    assert rollout.steps[0].status == "mistake"
    assert rollout.steps[0].observation == "There is no tool 'medical_retriever'. There are none: answer."
    assert rollout.ending is Ending.ANSWERED


def test_a_prompt_that_leaves_no_room_is_an_ending_and_nobody_is_asked(codec: ChatCodec) -> None:
    asked = question(text="Which gene? " * 100)
    length = len(ReactEnv(asked, {}, codec, LIMITS, 10_000).token_ids)
    for max_length in (length // 2, length):
        generate = ScriptedGenerate(codec, [])
        rollout = asyncio.run(run_episode(ReactEnv(asked, {}, codec, LIMITS, max_length), generate, SAMPLING, "r"))
        assert rollout.ending is Ending.TOKEN_LIMIT and rollout.answer is None and not rollout.steps
        assert len(rollout.token_ids) == length and not any(rollout.action_mask) and not generate.requests
    env = ReactEnv(asked, {}, codec, LIMITS, length + 1)
    assert env.ending is None and env.room == 1
