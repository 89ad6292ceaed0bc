"""Play the teacher in the real environment, and keep what ends with the right answer.

A kept trajectory is also the proof that the question can be solved with the tools there are.
"""

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from envs.react import ReactEnv
from envs.toolbox import open_vocabulary
from envs.tools.base import Tool
from envs.tools.selector import Advisor, Selector
from kisa.exploration import explore
from kisa.guidance import mask
from kisa.planner import named, teach
from kisa.recovery import ANOTHER_WAY, recover, spoils, unreliable
from medrl.chat import ChatCodec, thought_of
from medrl.config import Config
from medrl.matching import answers
from medrl.seeds import derive_seed
from medrl.types import Ending, Origin, Question, Rollout, Step


async def demonstrate(
    question: Question,
    tools: Mapping[str, Tool],
    codec: ChatCodec,
    config: Config,
    advisor: Advisor | None = None,
) -> Rollout | None:
    """The teacher's episode, or None if it did not end with the right answer. It goes by what `advisor` prefers.

    Where outputs are spoilt and it finds no other way, it makes each such call again; where the limits leave no room
    for that, the episode is one with sound outputs. Raises ToolOutage.
    """
    if spoils(config, question):
        for another_way in (ANOTHER_WAY, 0.0):
            rollout = await _play(question, unreliable(tools, question, config), codec, config, advisor, another_way)
            if rollout is not None:
                return rollout
    return await _play(question, tools, codec, config, advisor)


async def _play(
    question: Question,
    tools: Mapping[str, Tool],
    codec: ChatCodec,
    config: Config,
    advisor: Advisor | None,
    another_way: float = 0.0,
) -> Rollout | None:
    env = ReactEnv(question, tools, codec, config.env, config.model.max_length, advisor=advisor)
    turns = teach(named(question), mask(question), lambda: env.advice.preferred if env.advice is not None else None)
    astray = strays(config, question)
    if astray:
        turns = explore(turns, random.Random(derive_seed(config.seed, "detours", question.id)))
    rng = random.Random(derive_seed(config.seed, "recovery", question.id))
    turns = recover(turns, lambda: env.steps[-1].corruption, rng, another_way)
    text = next(turns, None)
    while text is not None and env.ending is None:
        await env.act(codec.encode_action(text))
        if env.ending is not None:
            break
        try:
            text = turns.send(env.steps[-1].observation)
        except StopIteration:
            return None
    return finished(env, "exploration" if astray else "guided")


def teachers_advisor(config: Config, knowledge: Path) -> Advisor | None:
    """What the teacher consults: the choice of tools that `kisa.tool_choice` names. Raises ConfigError, DataError."""
    if config.kisa.tool_choice is None:
        return None
    return Advisor(Selector.load(config.tool_choice_path), open_vocabulary(knowledge, config.knowledge))


def strays(config: Config, question: Question) -> bool:
    """Whether the teacher explores: drawn from the run's seed and the question alone; on training questions only."""
    draw = derive_seed(config.seed, "exploration", question.id) / 2**31
    return question.split == "train" and draw < config.kisa.exploration_fraction


def finished(env: ReactEnv, origin: Origin) -> Rollout | None:
    """What is kept of an episode: nothing if it did not end with the right answer, or if a call has no thought before
    it.

    Wall-clock figures are set to 0, and no answer counts as known before, so the same seed gives the same bytes.
    """
    if env.ending is not Ending.ANSWERED or not all(map(is_considered, env.steps)):
        return None
    rollout, question = env.rollout(), env.question
    if not answers(rollout.answer or "", question):
        return None
    rollout.steps = [replace(step, latency_s=0.0, cached=False) for step in rollout.steps]
    rollout.duration_s = rollout.tools_s = 0.0
    rollout.origin = origin
    return rollout


def is_considered(step: Step) -> bool:
    """Whether a thought stands before the step's call, if it has one."""
    return step.call is None or bool(thought_of(step.text.partition("<tool_call>")[0]))
