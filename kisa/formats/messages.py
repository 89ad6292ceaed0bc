"""The trajectory file of MedResearcher-R1: JSON lines of messages, and how each episode ended.

    question, answer, prediction      what was asked, what is right, what the agent said
    messages                          system, user, then the agent's turns and the tools' (`kisa.formats.turns`)
    termination, step_count           why it ended; messages after the question
    rollout, qaid                     which sample of the question, from 1; the question's id
    medrl                             in our files: what has no place above, so that reading back gives an equal episode

Text alone does not tell how it was tokenized. What we write is what the policy's tokenizer gives for it, except where
a tool's text was cut inside a word: there the ids are kept.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from envs.state import replay
from kisa.formats.turns import conversation, joined, spaced, wrapped
from medrl.chat import Action, ChatCodec, parse_action
from medrl.errors import DataError
from medrl.records import read_jsonl
from medrl.types import Ending, Message, Origin, Question, Rollout, Step, StepStatus

_TERMINATIONS = {
    Ending.ANSWERED: "answer",
    Ending.TURN_LIMIT: "max_iterations_exceeded",
    Ending.TOKEN_LIMIT: "max_tokens_exceeded",
    Ending.TIME_LIMIT: "time_limit_exceeded",  # they have no such limit
    Ending.MISTAKE_LIMIT: "tool_loop_detected",
    Ending.NO_TOOL_CALL: "no_tool_calls",
}
_ENDINGS = {said: ending for ending, said in _TERMINATIONS.items()} | {"Abnormal completed": Ending.NO_TOOL_CALL}


@dataclass(frozen=True, slots=True)
class _StepNote:
    """`as_is`: the turn is written as the agent wrote it. `response_ids`: all ids between it and the next turn, where
    the text alone gives others. `corruption`, `choice`: as in `Step`."""

    status: StepStatus
    sources: tuple[str, ...] = ()
    as_is: bool = False
    response_ids: list[Annotated[int, Field(ge=0)]] | None = None
    corruption: str = ""
    choice: Annotated[float, Field(ge=0, le=1)] | None = None


@dataclass(frozen=True, slots=True)
class _Notes:
    ending: Ending
    origin: Origin
    steps: tuple[_StepNote, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """What is read of a line."""

    messages: tuple[Message, ...]
    termination: str
    qaid: str | int
    rollout: Annotated[int, Field(ge=1)] = 1
    medrl: _Notes | None = None


def messages_line(question: Question, rollout: Rollout, codec: ChatCodec, system: str) -> dict[str, Any]:
    """A line of the file. `system`: the prompt of the episode's environment.

    Raises DataError if the episode's tokens are not what `codec` gives for its text, which then would not bring them
    back.
    """
    opening = [Message("system", system), Message("user", question.text)]
    runs = _runs(rollout)
    if runs[:1] != [codec.prompt(opening)]:
        raise DataError(
            f"the episode of {question.id} begins otherwise than this model and these tools let it: export it with the "
            "recipe and settings that made it"
        )
    actions, responses = runs[1::2], runs[2::2]
    if not len(rollout.steps) == len(actions) == len(responses) + 1:
        raise DataError(
            f"the episode of {question.id} has {len(rollout.steps)} steps, and tokens of {len(actions)} turns and "
            f"{len(responses)} responses"
        )
    messages, notes = opening, []
    for step, action, response in zip_longest(rollout.steps, actions, responses):
        if action != codec.encode_action(step.text):
            raise DataError(f"the episode of {question.id} was sampled by a policy: only demonstrations are exported")
        text = spaced(step.text)
        note: dict[str, Any] = {"status": step.status, "sources": list(step.sources)}
        if joined(text) != step.text:
            text, note["as_is"] = step.text, True
        if response is not None and response != codec.response(step.observation, sys.maxsize)[0]:
            note["response_ids"] = response
        if step.corruption:
            note["corruption"] = step.corruption
        if step.choice is not None:
            note["choice"] = step.choice
        notes.append(note)
        messages.append(Message("assistant", text))
        if response is not None or step.observation:
            messages.append(Message("user", wrapped(step.observation)))
    return {
        "question": question.text,
        "answer": question.answer,
        "prediction": rollout.answer or "No answer",
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "termination": _TERMINATIONS[rollout.ending],
        "step_count": len(messages) - 2,
        "rollout": rollout.sample + 1,
        "qaid": question.id,
        "medrl": {"ending": rollout.ending.value, "origin": rollout.origin, "steps": notes},
    }


def _runs(rollout: Rollout) -> list[list[int]]:
    """The episode's ids, cut where the agent begins and ends: prompt, turn, response, turn ..."""
    marked = groupby(zip(rollout.token_ids, rollout.action_mask, strict=True), key=lambda pair: pair[1])
    return [[token for token, _ in run] for _, run in marked]


def read_messages(path: Path, codec: ChatCodec, observation_tokens: int, max_length: int) -> Iterator[Rollout]:
    """The file's episodes, ours or others', as `codec`'s policy would have had them.

    Others' tool responses are cut after `observation_tokens`, as in the environment, and calls made at once are played
    one after the other. Raises DataError naming file and line, also for an episode of over `max_length` tokens.
    """
    for number, line in enumerate(read_jsonl(path, _Line), start=1):
        try:
            rollout = _play(line, codec, observation_tokens)
        except DataError as error:
            raise DataError(f"{path}:{number}: {error}") from error
        if len(rollout.token_ids) > max_length:
            raise DataError(
                f"{path}:{number}: {len(rollout.token_ids)} tokens, over model.max_length={max_length}: raise it, or "
                "leave the line out"
            )
        yield rollout


def _play(line: _Line, codec: ChatCodec, observation_tokens: int) -> Rollout:
    opening, turns = conversation(line.messages)
    _refuse_controls(codec, [*(message.content for message in opening), *(text for text, _ in turns)])
    notes: Sequence[_StepNote | None] = line.medrl.steps if line.medrl else [None] * len(turns)
    if len(notes) != len(turns):
        raise DataError(f"medrl.steps: {len(notes)} for {len(turns)} turns of the agent")
    token_ids = codec.prompt(opening)
    action_mask = [False] * len(token_ids)
    steps: list[Step] = []
    action = Action()
    for number, ((content, response), note) in enumerate(zip(turns, notes, strict=True), start=1):
        if action.answer is not None:
            raise DataError(f"messages: the agent answers in turn {number - 1} and goes on")
        ids = codec.encode_action(content if note and note.as_is else joined(content))
        token_ids += ids
        action_mask += [True] * len(ids)
        text = codec.decode_action(ids)
        action = parse_action(text)
        shown = ""
        if response is not None:
            ids, shown = codec.response(response, sys.maxsize if note else observation_tokens)
            if number < len(turns):  # as in the environment: a response that nothing follows is no part of the tokens
                kept = _kept(note, ids, codec)
                token_ids += kept
                action_mask += [False] * len(kept)
        status = note.status if note else _status(action)
        sources, corruption, choice = (note.sources, note.corruption, note.choice) if note else ((), "", None)
        steps.append(Step(text, action.call, shown, status, sources, choice=choice, corruption=corruption))
    if action.answer is not None and response is not None:
        raise DataError("messages: a tool responds to the answer")
    return Rollout(
        question_id=str(line.qaid),
        sample=line.rollout - 1,
        token_ids=token_ids,
        action_mask=action_mask,
        logprobs=[0.0] * len(token_ids),
        versions=[-1] * len(token_ids),
        steps=steps,
        ending=_ending(line, action),
        answer=action.answer,
        origin=line.medrl.origin if line.medrl else "guided",
        state=replay(steps, action.answer)[-1],
    )


def _refuse_controls(codec: ChatCodec, texts: Sequence[str]) -> None:
    """A turn that spells the end of a turn would become two. Tools' responses are defused by the codec."""
    for text in texts:
        control = codec.control_in(text)
        if control is not None:
            raise DataError(f"messages: a turn holds the control token {control!r}: leave the line out")


def _kept(note: _StepNote | None, ids: list[int], codec: ChatCodec) -> list[int]:
    """The ids that the line keeps of a response if they spell what `ids` do to this tokenizer; else `ids`."""
    if note is None or note.response_ids is None or max(note.response_ids, default=0) >= len(codec.tokenizer):
        return ids
    is_same = codec.tokenizer.decode(note.response_ids) == codec.tokenizer.decode(ids)
    return note.response_ids if is_same else ids


def _status(action: Action) -> StepStatus:
    """What a turn of others was, as far as it can be seen: they do not mark mistakes."""
    if action.answer is not None:
        return "answer"
    return "ok" if action.call is not None else "malformed"


def _ending(line: _Line, last: Action) -> Ending:
    if last.answer is not None:
        return Ending.ANSWERED
    if line.medrl is None and line.termination == "answer":
        return Ending.NO_TOOL_CALL  # it answered in a form that our environment does not read
    ending = line.medrl.ending if line.medrl else _ENDINGS.get(line.termination)
    if ending is None:
        raise DataError(f"termination: {line.termination!r} is none of {', '.join(_ENDINGS)}")
    if ending is Ending.ANSWERED:
        raise DataError("medrl.ending: answered, and the last turn holds no answer")
    return ending
