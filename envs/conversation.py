"""An episode played by a chat model: what the environment keeps as tokens, the model reads and writes as messages."""

from collections.abc import Awaitable, Callable, Sequence

from envs.react import ReactEnv
from medrl.chat import ChatCodec
from medrl.types import Message

Reply = Callable[[Sequence[Message], int], Awaitable[str]]
"""The next turn, given the conversation so far and the tokens that are kept of the turn."""


async def converse(env: ReactEnv, codec: ChatCodec, reply: Reply, system: str | None = None) -> None:
    """Let a chat model play `env` to its end; what it says beyond the room of a turn is cut, as a policy's turn is.

    `system`: what the model is told instead of the plain instructions, which are what the episode keeps. Raises what
    `reply` raises, and ToolOutage.
    """
    instructions, question = env.opening
    messages = [instructions if system is None else Message("system", system), question]
    while env.ending is None:
        room = env.room
        turn = await reply(messages, room)
        await env.act(codec.encode_action(turn)[:room])
        step = env.steps[-1]
        observation = f"<tool_response>{step.observation}</tool_response>"
        messages += [Message("assistant", step.text), Message("user", env.with_hint(observation))]
