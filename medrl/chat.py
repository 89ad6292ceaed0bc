"""Messages <-> tokens, and what an agent's turn means.

Tokens in, tokens out: what the policy sampled is kept as sampled. A conversation grows by appending ids, never by
rendering it again, so the trained tokens are the sampled ones. The text that a chat template puts between an
assistant turn and the next one is found once, from a probe conversation, and works with any Hugging Face template.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from medrl.errors import ConfigError
from medrl.types import Message, ToolCall

_ACTION_PROBE = "ACTIONPROBE"
_RESPONSE_PROBE = "RESPONSEPROBE"
TAGS = tuple(f"<{end}{name}>" for name in ("think", "tool_call", "tool_response", "answer") for end in ("", "/"))
"""What an agent's turn and a tool's response are marked with. A vocabulary may hold each as one token."""
_THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)
_ANY_TAG = re.compile("|".join(TAGS))


class ToolSignature(Protocol):
    """What the system prompt needs to know of a tool (`envs.tools.base.Tool` has it)."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Action:
    """A turn, understood. Exactly one of `call`, `answer` and `error` is set; `error` says what is malformed.

    A turn with neither a call nor an answer has all three None: the agent stopped acting.
    """

    call: ToolCall | None = None
    answer: str | None = None
    error: str | None = None


def system_prompt(tools: Sequence[ToolSignature]) -> str:
    """Instructions and one line a tool: kept short, since every token of it is in every episode. Without tools the
    model is asked for what it knows."""
    if not tools:
        return (
            "You are a medical research agent without tools. Answer from what you know, in one turn:\n"
            "<think>why</think><answer>the answer alone</answer>"
        )
    lines = [
        "You are a medical research agent. Find the answer step by step. Each turn is one of:",
        '<think>why</think><tool_call>{"name": "tool", "arguments": {...}}</tool_call>',
        "<think>why</think><answer>the answer alone</answer>",
        "Tools:",
    ]
    for tool in tools:
        arguments = ", ".join(tool.parameters["properties"])
        lines.append(f"{tool.name}({arguments}): {tool.description}")
    return "\n".join(lines)


def parse_action(text: str) -> Action:
    """Read one turn. Never raises: what is malformed is the policy's mistake, and is told to it."""
    calls = re.findall(r"<tool_call>(.*?)</tool_call>", text, re.DOTALL)
    answers = re.findall(r"<answer>(.*?)</answer>", text, re.DOTALL)
    if len(calls) + len(answers) > 1:
        return Action(error="more than one call or answer in a turn; write exactly one")
    if answers:
        return Action(answer=answers[0].strip())
    if calls:
        return _parse_call(calls[0])
    if "<tool_call>" in text:
        return Action(error="<tool_call> is not closed by </tool_call>")
    if "<answer>" in text:
        return Action(error="<answer> is not closed by </answer>")
    return Action()


def _parse_call(text: str) -> Action:
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        return Action(error=f"the call is not JSON ({error.msg} at character {error.pos})")
    except (ValueError, RecursionError):  # half an emoji, a number of thousands of digits, brackets without end
        return Action(error="the call is not JSON that can be read")
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return Action(error='a call needs a "name", a string')
    if not isinstance(value.get("arguments"), dict):
        return Action(error='a call needs "arguments", an object')
    return Action(call=ToolCall(value["name"], value["arguments"]))


def thought_of(turn: str) -> str:
    """What a turn says between its first <think> and </think>, without blanks around it; "" where there is none."""
    found = _THOUGHT.search(turn)
    return found[1].strip() if found else ""


def without_thought(reply: str) -> str:
    """A reply without blanks around it, and without what a reasoning model says to itself first."""
    _, ended, rest = reply.partition("</think>")
    return (rest if ended and reply.lstrip().startswith("<think>") else reply).strip()


def render_call(thought: str, call: ToolCall) -> str:
    """A turn that calls a tool, in the one form that demonstrations use; `parse_action` reads it back."""
    body = json.dumps({"name": call.name, "arguments": dict(call.arguments)}, ensure_ascii=False)
    return f"<think>{thought}</think><tool_call>{body}</tool_call>"


def render_answer(thought: str, answer: str) -> str:
    """A turn that answers; `parse_action` reads it back."""
    return f"<think>{thought}</think><answer>{answer}</answer>"


class ChatCodec:
    """Token ids of prompts, actions and tool responses under one tokenizer's chat template.

    `end_ids` are the ids that end an assistant turn; samplers stop on them and keep them.
    """

    def __init__(self, tokenizer: Any) -> None:
        """`tokenizer`: a Hugging Face tokenizer with a chat template. Raises ConfigError if it has none."""
        if not tokenizer.chat_template:
            raise ConfigError("the model's tokenizer has no chat template: add one to tokenizer_config.json")
        self.tokenizer = tokenizer
        self.end_ids: tuple[int, ...] = (int(tokenizer.eos_token_id),)
        controls = {str(token) for token in tokenizer.all_special_tokens}
        controls.update(str(token) for token in tokenizer.added_tokens_decoder.values() if token.special)
        self._controls = sorted(controls - set(TAGS), key=lambda control: (-len(control), control))
        probe = self._render(
            [
                Message("system", "s"),
                Message("user", "u"),
                Message("assistant", _ACTION_PROBE),
                Message("user", _RESPONSE_PROBE),
            ]
        )
        if not 0 <= probe.find(_ACTION_PROBE) < probe.find(_RESPONSE_PROBE):
            raise ConfigError(
                "the chat template leaves out what was said: give a model whose template shows the turns in order"
            )
        between, after = probe.split(_ACTION_PROBE)[1].split(_RESPONSE_PROBE)
        if not between.startswith(tokenizer.eos_token):
            raise ConfigError(
                f"the chat template ends an assistant turn with {between[:20]!r}, not with the end-of-sequence token "
                f"{tokenizer.eos_token!r}: set eos_token in tokenizer_config.json to the token that ends a turn"
            )
        self._before_response = self._encode(between.removeprefix(tokenizer.eos_token))
        self._after_response = self._encode(after)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Ids of a conversation that the assistant is to continue."""
        return self._encode(self._render(messages))

    def encode_action(self, text: str) -> list[int]:
        """Ids of a demonstrated turn, its end-of-turn id included: what a policy would have sampled."""
        return [*self._encode(text), self.end_ids[0]]

    def decode_action(self, token_ids: Sequence[int]) -> str:
        """Text of a sampled turn, without its end-of-turn id."""
        kept = token_ids[:-1] if token_ids and token_ids[-1] in self.end_ids else token_ids
        return str(self.tokenizer.decode(kept, skip_special_tokens=False))

    def response(self, text: str, max_tokens: int, *, turn_ended: bool = True, note: str = "") -> tuple[list[int], str]:
        """Ids that follow an action: tool response and the next turn's opening; and the response as it was shown.

        `text` is untrusted: control tokens and our own tags in it are defused. It is cut after `max_tokens` tokens.
        `turn_ended` False adds the end-of-turn id that a truncated action lacks. `note` is the environment's own word,
        behind the response, where no tool can write.
        """
        ids = self._encode(self._defuse(text))
        shown = ids
        if len(ids) > max_tokens:
            shown = [*ids[:max_tokens], *self._encode(" …")]
        opening = self._encode("<tool_response>")
        closing = self._encode(f"</tool_response>\n{note}" if note else "</tool_response>")
        lead = [] if turn_ended else [self.end_ids[0]]
        whole = [*lead, *self._before_response, *opening, *shown, *closing, *self._after_response]
        return whole, str(self.tokenizer.decode(shown))

    def control_in(self, text: str) -> str | None:
        """A control token that `text` spells, and that would be encoded as one; None if it spells none."""
        return next((control for control in self._controls if control in text), None)

    def _render(self, messages: Sequence[Message]) -> str:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        return str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    def _encode(self, text: str) -> list[int]:
        return [int(token) for token in self.tokenizer.encode(text, add_special_tokens=False)]

    def _defuse(self, text: str) -> str:
        for control in self._controls:
            text = text.replace(control, f"{control[0]} {control[1:]}")
        return _ANY_TAG.sub(lambda tag: tag.group(0).replace("<", "(").replace(">", ")"), text)
