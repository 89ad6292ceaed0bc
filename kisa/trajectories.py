"""Play the teacher in the real environment, and keep what ends with the right answer.

A kept trajectory is also the proof that the question can be solved with the tools there are.
"""

import random
from collections.abc import Mapping
from dataclasses import replace

from envs.react import ReactEnv
from envs.tools.base import Tool
from kisa.exploration import explore
from kisa.guidance import mask
from kisa.planner import teach
from medrl.chat import ChatCodec
from medrl.config import Config
from medrl.matching import Verdict, match
from medrl.seeds import derive_seed
from medrl.types import Ending, Question, Rollout


async def demonstrate(
    question: Question, tools: Mapping[str, Tool], codec: ChatCodec, config: Config
) -> Rollout | None:
    """The teacher's episode, or None if it did not end with the right answer. Raises ToolOutage.

    Wall-clock figures are set to 0, so the same seed gives the same bytes.
    """
    env = ReactEnv(question, tools, codec, config.env, config.model.max_length)
    branches = [branch.subject.name for branch in question.branches]
    turns = teach(question.text, question.anchors, mask(question), branches)
    strays = question.split == "train" and _draw(config, question) < config.kisa.exploration_fraction
    if strays:
        turns = explore(turns, random.Random(derive_seed(config.seed, "detours", question.id)))
    text = next(turns, None)
    while text is not None and env.ending is None:
        await env.act(codec.encode_action(text))
        if env.ending is not None:
            break
        try:
            text = turns.send(env.steps[-1].observation)
        except StopIteration:
            return None
    if env.ending is not Ending.ANSWERED:
        return None
    rollout = env.rollout()
    if match(rollout.answer or "", question.answer, aliases=question.aliases) is not Verdict.CORRECT:
        return None
    rollout.steps = [replace(step, latency_s=0.0) for step in rollout.steps]
    rollout.duration_s = rollout.tools_s = 0.0
    rollout.origin = "exploration" if strays else "guided"
    return rollout


def _draw(config: Config, question: Question) -> float:
    """A number in [0, 1) that depends on the run's seed and the question alone."""
    return derive_seed(config.seed, "exploration", question.id) / 2**31
