"""The expert that is a language model. Prompts and parsing are pure (`medrl.judge`); `envs.endpoint` asks."""

import asyncio

from envs.endpoint import Endpoint
from medrl.errors import InfrastructureError
from medrl.judge import parse_rating, render_rating
from medrl.sections.endpoint import JudgeConfig
from medrl.seeds import derive_seed
from medrl.types import Question, Rollout


class ExpertJudge:
    """Rates an episode in [0, 1]. May be called from several threads at once."""

    def __init__(self, config: JudgeConfig) -> None:
        self._config = config

    def __call__(self, question: Question, rollout: Rollout) -> float:
        """Raises InfrastructureError when no readable rating comes: nothing is guessed. Raises ConfigError if the judge
        would rate no episode at all, for want of the right key, say."""
        try:
            return asyncio.run(self._rating(question, rollout))
        except InfrastructureError as error:
            raise InfrastructureError(f"judge {error}") from error

    async def _rating(self, question: Question, rollout: Rollout) -> float:
        seed = derive_seed("judge", rollout.question_id, rollout.sample)
        async with Endpoint(self._config, seed=seed) as endpoint:
            return await endpoint.ask(render_rating(question, rollout), parse=parse_rating)
