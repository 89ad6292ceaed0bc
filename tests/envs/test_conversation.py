"""An episode by chat messages is the episode that a policy would have had."""

import asyncio
from collections.abc import Sequence

import pytest

from envs.conversation import converse
from envs.react import ReactEnv
from medrl.chat import ChatCodec, render_answer, render_call
from medrl.errors import ToolOutage
from medrl.sections.episodes import EnvConfig
from medrl.types import Ending, Message, ToolCall
from tests.fakes import FakeTool, question
from tests.tiny import tiny_tokenizer

LIMITS = EnvConfig(max_turns=4, max_turn_tokens=120, observation_tokens=100)
CODEC = ChatCodec(tiny_tokenizer())


def call(query: str) -> str:
    return render_call("look", ToolCall("medical_retriever", {"query": query}))


def play(turns: Sequence[str], system: str | None = None) -> tuple[ReactEnv, list[list[Message]]]:
    env = ReactEnv(question(), {"medical_retriever": FakeTool({"a": "see b"})}, CODEC, LIMITS, 4000)
    left, heard = list(turns), []

    async def reply(said: Sequence[Message], room: int) -> str:
        assert room == env.room
        heard.append(list(said))
        return left.pop(0)

    asyncio.run(converse(env, CODEC, reply, system))
    return env, heard


def test_the_model_reads_what_a_policy_reads_turn_by_turn() -> None:
    turns = [call("a"), render_answer("so", "FBN1")]
    env, heard = play(turns)
    assert (env.ending, env.answer) == (Ending.ANSWERED, "FBN1")
    assert [message.role for message in heard[1]] == ["system", "user", "assistant", "user"]
    assert heard[1][2].content == turns[0]
    assert heard[1][3].content == "<tool_response>see b</tool_response>"
    read = CODEC.tokenizer.decode(env.token_ids)
    assert all(message.content in read for message in heard[1])
    acted = [token for token, mask in zip(env.token_ids, env.rollout().action_mask, strict=True) if mask]
    assert acted == CODEC.encode_action(turns[0]) + CODEC.encode_action(turns[1])


def test_guidance_is_told_and_not_kept() -> None:
    env, heard = play([render_answer("so", "x")], system="A secret plan.")
    assert heard[0][0] == Message("system", "A secret plan.")
    assert "secret" not in CODEC.tokenizer.decode(env.token_ids)


def test_a_turn_longer_than_its_room_is_cut_like_a_policy_s() -> None:
    env, heard = play([f"<think>{'x' * 200}</think><answer>FBN1</answer>"])
    assert env.ending is Ending.TOKEN_LIMIT and env.answer is None
    assert sum(env.rollout().action_mask) == LIMITS.max_turn_tokens and len(heard) == 1


def test_an_outage_of_a_tool_is_raised() -> None:
    with pytest.raises(ToolOutage):
        play([call("down")])
