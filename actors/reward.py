"""The reward actor: r = 1.0·task + 0.2·expert − 0.1·efficiency, the expert a rubric or an OpenAI-compatible judge."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import ray
from ray.exceptions import RayActorError

from actors.failures import actor_died
from actors.judge import ExpertJudge
from actors.placement import light_needs
from medrl.config import Config, RewardConfig
from medrl.errors import InfrastructureError, Stalled
from medrl.rewards import Expert, rubric_expert, score
from medrl.types import Question, Reward, Rollout, RolloutGroup


@ray.remote
class RewardActor:
    """Scores finished episodes. Pure functions do the work; the judge, if one is configured, is asked here."""

    def __init__(self, config: RewardConfig) -> None:
        self._config = config
        self._expert: Expert = ExpertJudge(config) if config.judge_url else rubric_expert

    def score(self, question: Question, rollout: Rollout) -> Reward | InfrastructureError:
        """The reward of one episode, or why there is none: `rate`."""
        return rate(question, rollout, self._config, self._expert)


def rate(question: Question, rollout: Rollout, config: RewardConfig, expert: Expert) -> Reward | InfrastructureError:
    """The reward of one episode; what the expert raised if it could not be asked, since nothing is guessed."""
    try:
        return score(question, rollout, config, expert=expert)
    except InfrastructureError as error:
        return error


class RewardService:
    """The driver's handle on the reward actor."""

    def __init__(self, config: Config) -> None:
        self._timeout_s = config.rollout.timeout_s
        # A judge is asked about several episodes at once; the rubric is quick, and one at a time is as good.
        together = {"max_concurrency": 16} if config.reward.judge_url else {}
        options = light_needs(config, "reward").options | together
        self._actor = RewardActor.options(**options).remote(config.reward)

    def score(self, groups: Sequence[RolloutGroup]) -> tuple[list[RolloutGroup], list[str]]:
        """The same groups, every rollout with its reward; those that the judge could not rate are left out, and why.

        Raises Stalled when none was scored for rollout.timeout_s, InfrastructureError when the actor dies.
        """
        references = [[self._actor.score.remote(group.question, each) for each in group.rollouts] for group in groups]
        pending = list(chain.from_iterable(references))
        while pending:
            ready, pending = ray.wait(pending, timeout=self._timeout_s)
            if not ready:
                raise Stalled(f"reward: {len(pending)} episodes wait, none was scored in {self._timeout_s:.0f} s")
        try:
            results = [ray.get(each) for each in references]
        except RayActorError as error:
            raise actor_died("reward", error) from error
        scored = [_scored(group, each) for group, each in zip(groups, results, strict=True)]
        return scored, [str(each) for each in chain.from_iterable(results) if isinstance(each, InfrastructureError)]


def _scored(group: RolloutGroup, results: Sequence[Reward | InfrastructureError]) -> RolloutGroup:
    rated = zip(group.rollouts, results, strict=True)
    return RolloutGroup(group.question, tuple(replace(r, reward=w) for r, w in rated if isinstance(w, Reward)))
