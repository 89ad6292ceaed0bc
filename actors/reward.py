"""The reward actor: r = 1.0·task + 0.2·expert − 0.1·efficiency, the expert a rubric or an OpenAI-compatible judge."""

from collections.abc import Sequence
from dataclasses import replace

import ray
from ray.exceptions import RayActorError

from actors.failures import actor_died
from actors.judge import ExpertJudge
from actors.placement import light_needs
from medrl.config import Config, RewardConfig
from medrl.errors import Stalled
from medrl.rewards import Expert, rubric_expert, score
from medrl.types import Reward, RolloutGroup


@ray.remote
class RewardActor:
    """Scores finished episodes. Pure functions do the work; the judge, if one is configured, is asked here."""

    def __init__(self, config: RewardConfig) -> None:
        self._config = config
        self._expert: Expert = ExpertJudge(config) if config.judge_url else rubric_expert

    def score(self, group: RolloutGroup) -> list[Reward]:
        """One reward an episode. Raises InfrastructureError when the judge cannot be reached: nothing is guessed."""
        return [score(group.question, rollout, self._config, expert=self._expert) for rollout in group.rollouts]


class RewardService:
    """The driver's handle on the reward actor."""

    def __init__(self, config: Config) -> None:
        self._timeout_s = config.rollout.timeout_s
        # A judge is asked about several groups at once; the rubric is quick, and one at a time is as good.
        together = {"max_concurrency": 16} if config.reward.judge_url else {}
        options = light_needs(config, "reward").options | together
        self._actor = RewardActor.options(**options).remote(config.reward)

    def score(self, groups: Sequence[RolloutGroup]) -> list[RolloutGroup]:
        """The same groups, every rollout with its reward.

        Raises Stalled when none was scored for rollout.timeout_s, InfrastructureError when the actor dies.
        """
        references = [self._actor.score.remote(group) for group in groups]
        pending = references
        while pending:
            ready, pending = ray.wait(pending, timeout=self._timeout_s)
            if not ready:
                raise Stalled(f"reward: {len(pending)} groups wait, none was scored in {self._timeout_s:.0f} s")
        try:
            rewards = ray.get(references)
        except RayActorError as error:
            raise actor_died("reward", error) from error
        return [
            RolloutGroup(group.question, tuple(replace(r, reward=w) for r, w in zip(group.rollouts, each, strict=True)))
            for group, each in zip(groups, rewards, strict=True)
        ]
