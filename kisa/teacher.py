"""The teacher that is a language model: it plays in the real environment, shown the structure and no entity.

    guided        the masked structure stands in its instructions
    exploration   it does not: the model finds its own way (arXiv 2508.14880, KISA step 7)

What is kept of an episode has the plain instructions, as the policy will see them. Some of what the tools say is spoilt
(`kisa.recovery`), as it is for the planner; the model is not told of it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from envs.conversation import converse
from envs.network.endpoint import Endpoint
from envs.network.outcomes import Item, SetAside, Tally
from envs.react import ReactEnv
from envs.toolbox import open_toolbox
from envs.tools.base import Tool
from envs.tools.selector import Advisor
from kisa.guidance import MASK, mask
from kisa.inquiry import AnswerLog
from kisa.recovery import unreliable
from kisa.rounds import key_of
from kisa.set_aside import SetAsideLog
from kisa.trajectories import finished, strays, teachers_advisor
from kisa.workshop import Made
from medrl.chat import TAGS, ChatCodec, parse_action
from medrl.config import Config
from medrl.progress import Progress
from medrl.seeds import derive_seed
from medrl.types import Message, Question, Rollout

STAGE = "teacher"
Ask = Callable[[Sequence[Message], Callable[[str], str | None]], Awaitable[str]]
_ROLLOUT = TypeAdapter(Rollout | None)
_TURN = re.compile(r"(?:<think>([^<]*)</think>)?\s*<(tool_call|answer)>(.*)</\2>", re.DOTALL)


def read_turn(reply: str, codec: ChatCodec, room: int) -> str | None:
    """A turn of a thought and one call or answer, as a policy could sample it in `room` tokens; None for anything else.

    A call has a thought before it. A model that goes on to invent the tool's response, speaks of [MASK] or spells a
    control token teaches nothing good.
    """
    text = reply.strip()
    turn = _TURN.fullmatch(text)
    action = parse_action(text)
    if turn is None or (action.call is None and action.answer is None) or MASK in text:
        return None
    if action.call is not None and not (turn[1] or "").strip():
        return None
    if any(tag in turn[3] for tag in TAGS) or codec.control_in(text) is not None:
        return None
    return text if len(codec.encode_action(text)) <= room else None


def guidance(question: Question) -> str:
    """The structure as the teacher is told it: predicates, and [MASK] for every entity."""
    hops = [f"{number}. {left} {relation} {right}" for number, (left, relation, right) in enumerate(mask(question), 1)]
    return "The answer is reached by these hops; find what each [MASK] stands for:\n" + "\n".join(hops)


async def play(
    question: Question,
    tools: Mapping[str, Tool],
    codec: ChatCodec,
    config: Config,
    ask: Ask,
    advisor: Advisor | None = None,
) -> Rollout | None:
    """The model's episode, None if it did not end with the right answer. Raises SetAside, ConfigError, ToolOutage."""
    tools = unreliable(tools, question, config)
    env = ReactEnv(question, tools, codec, config.env, config.model.max_length, advisor=advisor)
    alone = strays(config, question)
    told = None if alone else f"{env.opening[0].content}\n{guidance(question)}"
    await converse(env, codec, lambda said, room: ask(said, partial(read_turn, codec=codec, room=room)), told)
    return finished(env, "exploration" if alone else "guided")


def with_teacher(made: Sequence[Made], knowledge: Path, tokenizer: Any, config: Config, folder: Path) -> list[Made]:
    """Training questions with the model's episodes, if there is a model: the planner's stay where it failed.

    Raises as `play_all` does.
    """
    if config.kisa.teacher is None:
        return list(made)
    tools = open_toolbox(knowledge, config.knowledge)
    key = key_of(config, knowledge)
    advisor = teachers_advisor(config, knowledge)
    played = play_all([each.question for each in made], tools, ChatCodec(tokenizer), config, folder, key, advisor)
    return [replace(each, rollout=played.get(each.question.id, each.rollout)) for each in made]


def play_all(
    questions: Sequence[Question],
    tools: Mapping[str, Tool],
    codec: ChatCodec,
    config: Config,
    folder: Path,
    key: str,
    advisor: Advisor | None = None,
) -> dict[str, Rollout]:
    """Question id -> the model's episode, of those it solved. What was played under the same `key` is not played again.

    A question in whose episode the endpoint failed is set aside. Raises ConfigError if no request ever would be
    answered, InfrastructureError when the endpoint is down, ToolOutage.
    """
    endpoint = config.kisa.teacher
    if endpoint is None:
        return {}
    log = AnswerLog(folder, STAGE, f"{key} {endpoint.model} {endpoint.temperature}")
    left = [question for question in questions if log.get(_key(question)) is None]
    tally = Tally([Item(question.id, (), str) for question in left])

    async def one(question: Question, progress: Progress, aside: SetAsideLog, client: Endpoint) -> None:
        try:
            rollout = await play(
                question, tools, codec, config, lambda said, parse: client.ask(said, parse=parse), advisor
            )
        except SetAside as error:
            aside.add(STAGE, question.id, error.reasons)
            tally.failed(question.id, error)
        else:
            log.add(_key(question), _ROLLOUT.dump_json(rollout).decode())
            tally.answered(question.id, "")
        progress.advance()

    async def work() -> None:
        waiting = iter(left)

        async def worker(progress: Progress, aside: SetAsideLog, client: Endpoint) -> None:
            for question in waiting:
                await one(question, progress, aside, client)

        with SetAsideLog(folder / "set_aside.jsonl") as aside, Progress(STAGE, len(left), "episode") as progress:
            async with Endpoint(endpoint, seed=derive_seed(STAGE)) as client, asyncio.TaskGroup() as group:
                for _ in range(endpoint.concurrency):
                    group.create_task(worker(progress, aside, client))

    try:
        asyncio.run(work())
    except ExceptionGroup as failed:
        first = failed.exceptions[0]
        raise first from first.__cause__
    finally:
        log.close()
    kept = {each.id: log.get(_key(each)) for each in questions}
    played = {identifier: _ROLLOUT.validate_json(said) for identifier, said in kept.items() if said is not None}
    return {identifier: rollout for identifier, rollout in played.items() if rollout is not None}


def _key(question: Question) -> str:
    return f"{question.id} {question.text}"
