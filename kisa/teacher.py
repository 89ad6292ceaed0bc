"""The teacher that is a language model: it plays in the real environment, shown the structure and no entity.

    guided        the masked structure stands in its instructions
    exploration   it does not: the model finds its own way (arXiv 2508.14880, KISA step 7)

What is kept of an episode has the plain instructions, as the policy will see them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from tqdm import tqdm

from envs.endpoint import Endpoint
from envs.outcomes import SetAside
from envs.react import ReactEnv
from envs.toolbox import open_toolbox
from envs.tools.base import Tool
from kisa.guidance import mask
from kisa.inquiry import AnswerLog
from kisa.set_aside import SetAsideLog
from kisa.trajectories import finished, strays
from kisa.workshop import Made
from medrl.chat import ChatCodec, parse_action, system_prompt
from medrl.config import Config
from medrl.seeds import derive_seed
from medrl.types import Message, Question, Rollout

STAGE = "teacher"
Ask = Callable[[Sequence[Message]], Awaitable[str]]
_ROLLOUT = TypeAdapter(Rollout | None)


def read_turn(reply: str) -> str | None:
    """A turn with one call or answer; None for anything else."""
    action = parse_action(reply)
    return reply.strip() if action.call is not None or action.answer is not None else None


def guidance(question: Question) -> str:
    """The structure as the teacher is told it: predicates, and [MASK] for every entity."""
    hops = [f"{number}. {left} {relation} {right}" for number, (left, relation, right) in enumerate(mask(question), 1)]
    return "The answer is reached by these hops; find what each [MASK] stands for:\n" + "\n".join(hops)


async def play(
    question: Question, tools: Mapping[str, Tool], codec: ChatCodec, config: Config, ask: Ask
) -> Rollout | None:
    """The model's episode, None if it did not end with the right answer. Raises SetAside, ConfigError, ToolOutage."""
    env = ReactEnv(question, tools, codec, config.env, config.model.max_length)
    alone = strays(config, question)
    instructions = system_prompt(list(tools.values()))
    told = instructions if alone else f"{instructions}\n{guidance(question)}"
    messages = [Message("system", told), Message("user", question.text)]
    while env.ending is None:
        turn = await ask(messages)
        await env.act(codec.encode_action(turn))
        observation = f"<tool_response>{env.steps[-1].observation}</tool_response>"
        messages += [Message("assistant", turn), Message("user", observation)]
    return finished(env, "exploration" if alone else "guided")


def with_teacher(made: Sequence[Made], knowledge: Path, tokenizer: Any, config: Config, folder: Path) -> list[Made]:
    """Training questions with the model's episodes, if there is a model: the planner's stay where it failed.

    Raises as `play_all` does.
    """
    if config.kisa.teacher is None:
        return list(made)
    tools = open_toolbox(knowledge, config.knowledge)
    played = play_all([each.question for each in made], tools, ChatCodec(tokenizer), config, folder)
    return [replace(each, rollout=played.get(each.question.id, each.rollout)) for each in made]


def play_all(
    questions: Sequence[Question], tools: Mapping[str, Tool], codec: ChatCodec, config: Config, folder: Path
) -> dict[str, Rollout]:
    """Question id -> the model's episode, of those it solved. What was played before is not played again.

    A question in whose episode the endpoint failed is set aside. Raises ConfigError if no request ever would be
    answered, ToolOutage.
    """
    endpoint = config.kisa.teacher
    if endpoint is None:
        return {}
    log = AnswerLog(folder, STAGE)
    keys = {
        each.id: f"{each.id}-{derive_seed(endpoint.model, each.text, config.env, config.seed)}" for each in questions
    }

    async def work() -> None:
        room = asyncio.Semaphore(endpoint.concurrency)

        async def one(question: Question, bar: tqdm, aside: SetAsideLog, client: Endpoint) -> None:
            async with room:
                try:
                    rollout = await play(question, tools, codec, config, lambda said: client.ask(said, parse=read_turn))
                except SetAside as error:
                    aside.add(STAGE, question.id, error.reasons)
                else:
                    log.add(keys[question.id], _ROLLOUT.dump_json(rollout).decode())
                bar.update()

        left = [question for question in questions if log.get(keys[question.id]) is None]
        with SetAsideLog(folder / "set_aside.jsonl") as aside, tqdm(total=len(left), desc=STAGE, unit="episode") as bar:
            async with Endpoint(endpoint, seed=derive_seed(STAGE)) as client, asyncio.TaskGroup() as group:
                for question in left:
                    group.create_task(one(question, bar, aside, client))

    try:
        asyncio.run(work())
    except ExceptionGroup as failed:
        first = failed.exceptions[0]
        raise first from first.__cause__
    finally:
        log.close()
    played = {each: _ROLLOUT.validate_json(said) for each, key in keys.items() if (said := log.get(key)) is not None}
    return {each: rollout for each, rollout in played.items() if rollout is not None}
