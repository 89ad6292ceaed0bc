"""Raters that are language models. Prompts and parsing are pure (`medrl.judge`); `envs.network.endpoint` asks."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from envs.network.endpoint import Endpoint
from medrl.errors import InfrastructureError
from medrl.judge import parse_rating, parse_waste, render_rating, render_waste
from medrl.rewards import WASTED_CALLS_AT_FULL_PENALTY, Expert
from medrl.sections.endpoint import JudgeConfig
from medrl.seeds import derive_seed
from medrl.types import Message, Question, Rollout

T = TypeVar("T")


class ExpertJudge:
    """Rates an episode in [0, 1]. May be called from several threads at once."""

    def __init__(self, config: JudgeConfig) -> None:
        self._config = config

    def __call__(self, question: Question, rollout: Rollout) -> float:
        """Raises InfrastructureError when no readable rating comes: nothing is guessed. Raises ConfigError if the judge
        would rate no episode at all, for want of the right key, say."""
        return _ask(self._config, "judge", rollout, render_rating(question, rollout), parse_rating)


class EfficiencyJudge:
    """How wasteful an episode was, in [0, 1]: what the rules count, or the judge, whichever is more.

    So a judge adds what rules cannot see, and cannot be talked out of what they count.
    """

    def __init__(self, config: JudgeConfig, rules: Expert) -> None:
        self._config = config
        self._rules = rules

    def __call__(self, question: Question, rollout: Rollout) -> float:
        """Raises as `ExpertJudge` does. Where there was no call, or the rules count all, nobody is asked."""
        counted, num_calls = self._rules(question, rollout), rollout.num_tool_calls
        if counted == 1.0 or not num_calls:
            return counted
        asked = render_waste(question, rollout)
        needless = _ask(self._config, "efficiency", rollout, asked, lambda reply: parse_waste(reply, num_calls))
        return max(counted, min(1.0, needless / WASTED_CALLS_AT_FULL_PENALTY))


def _ask(
    config: JudgeConfig, name: str, rollout: Rollout, asked: Sequence[Message], parse: Callable[[str], T | None]
) -> T:
    async def ask() -> T:
        seed = derive_seed(name, rollout.question_id, rollout.sample)
        async with Endpoint(config, seed=seed) as endpoint:
            return await endpoint.ask(asked, parse=parse)

    try:
        return asyncio.run(ask())
    except InfrastructureError as error:
        raise InfrastructureError(f"judge {error}") from error
