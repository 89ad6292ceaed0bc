"""A chat completion request, as OpenAI's clients send it, and what of it an agent is asked."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from launch.ask.agent import MOST_SAMPLES, SAMPLES, Agent, Asked
from launch.ask.events import Report
from medrl.errors import DataError
from medrl.records import fault

CONTEXT_SHARE = 0.5
"""Of the tokens that the model reads, what earlier turns and the question may take together."""

PARAGRAPH = "\n\n"
"""Between the parts of an answer."""

Count = Annotated[int, Field(ge=1)]


class Part(BaseModel):
    """A part of a message's content; text alone is understood."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """A turn; its content in one piece or in parts."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream tells beside the answer."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """What of a request counts here; what else it holds is ignored, as such servers do.

    messages      the last one, the user's, is the question. Earlier questions and answers stand before it, as many of
                  the latest as fit; system messages are ignored: the agent was trained with instructions of its own
    temperature   of the samples but the first, which is greedy; that of training by default. 0: one greedy sample
    tools, functions, response_format   refused, as the agent has tools of its own and answers in plain text
    samples       (ours) whose agreement is told, 5 by default
    n             above 1: so many samples, each a choice, drawn at `temperature`; none is greedy, and nothing
                  is said of their agreement
    max_tokens    bounds a turn, and can only shorten the agent's own bound
    """

    model: str
    messages: list[ChatMessage]
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    n: Annotated[int, Field(ge=1, le=MOST_SAMPLES)] | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    seed: int | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: dict[str, Any] | None = None
    samples: Annotated[int, Field(ge=1, le=MOST_SAMPLES)] | None = None

    @property
    def choices(self) -> int:
        return self.n or 1


def read_request(body: Any) -> ChatRequest:
    """Raises DataError naming the field at fault."""
    try:
        return ChatRequest.model_validate(body)
    except ValidationError as error:
        raise DataError(fault(error)) from error


def asked_of(request: ChatRequest, agent: Agent) -> Asked:
    """What the agent is to play. Raises DataError."""
    for name, given in (("tools", request.tools), ("functions", request.functions)):
        if given:
            raise DataError(f"{name}: the agent has tools of its own and calls no others; leave {name} out")
    if request.response_format is not None and request.response_format.get("type") != "text":
        raise DataError(
            "response_format: the agent has tools of its own and answers in plain text, in no other form; leave it out"
        )
    if not request.messages or request.messages[-1].role != "user":
        raise DataError("messages: the last one must be the user's, it is the question")
    if request.choices > 1 and request.temperature == 0.0:
        raise DataError("n: at temperature 0 all choices would be the same; give a temperature above 0, or n=1")
    asked = Asked(
        text=request.messages[-1].text,
        samples=request.choices if request.choices > 1 else request.samples or SAMPLES,
        temperature=request.temperature,
        seed=request.seed or 0,
        max_turn_tokens=request.max_completion_tokens or request.max_tokens,
        is_greedy_first=request.choices == 1,
    )
    return in_context(asked, request.messages[:-1], agent)


def in_context(asked: Asked, earlier: list[ChatMessage], agent: Agent) -> Asked:
    """The question behind the latest of the `earlier` turns that leave half of the model's length free."""
    spoken = [message for message in earlier if message.role in ("user", "assistant") and message.text.strip()]
    best = asked
    lines: list[str] = []
    for message in reversed(spoken):
        lines.insert(0, _line(message))
        longer = replace(asked, context="Earlier:\n" + "\n".join(lines) + "\nNow: ")
        if agent.takes(longer) > CONTEXT_SHARE:
            break
        best = longer
    return best


def _line(earlier: ChatMessage) -> str:
    """One line whatever it holds, so that no turn can pass for another. An answer of ours begins with the answer; what
    stands behind it is left out."""
    if earlier.role == "user":
        return f"Question: {' '.join(earlier.text.split())}"
    return f"Answer: {' '.join(earlier.text.strip().split(PARAGRAPH)[0].split())}"


def content_of(report: Report) -> str:
    """The answer first, then what it rests on, how sure the agent is, and the statement; a blank line between each."""
    parts = [report.answer if report.answer is not None else "No answer was found."]
    if report.citations:
        sources = [f"[{number}] {each.label}" for number, each in enumerate(report.citations, start=1)]
        parts.append("\n".join(["Sources:", *sources]))
    parts.append(report.confidence)
    if report.rivals:
        parts.append("Other answers: " + "; ".join(f"{each.answer} ({each.votes})" for each in report.rivals))
    if report.calibration:
        parts.append(report.calibration)
    return PARAGRAPH.join([*parts, report.statement])
