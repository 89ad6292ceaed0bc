"""The reward actor: r = 1.0·task + 0.2·expert − 0.1·efficiency; the last two by rules, or OpenAI-compatible judges."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import ray
from ray.exceptions import RayActorError

from actors.failures import actor_died
from actors.judge import EfficiencyJudge, ExpertJudge
from actors.placement import placed
from actors.signs import Sign
from medrl.config import Config
from medrl.deadlines import within
from medrl.errors import InfrastructureError, Stalled
from medrl.rewards import Expert, efficiency_penalty, rubric_expert, score
from medrl.sections.episodes import RewardConfig
from medrl.types import Question, Reward, Rollout, RolloutGroup


@ray.remote
class RewardActor:
    """Scores finished episodes. Pure functions do the work; the judges, if any are configured, are asked here."""

    def __init__(self, config: RewardConfig) -> None:
        self._config = config
        self._expert: Expert = ExpertJudge(config.judge) if config.judge else rubric_expert
        self._efficiency = efficiency_rater(config)

    def score(self, question: Question, rollout: Rollout) -> Reward | InfrastructureError:
        """The reward of one episode, or why there is none: `rate`."""
        return rate(question, rollout, self._config, self._expert, self._efficiency)


def efficiency_rater(config: RewardConfig) -> Expert:
    """The rules of r_efficiency, and the judge on top of them if there is one."""

    def rules(question: Question, rollout: Rollout) -> float:
        return efficiency_penalty(rollout, question, config.irrelevant_below)

    return EfficiencyJudge(config.efficiency_judge, rules) if config.efficiency_judge else rules


def rate(
    question: Question, rollout: Rollout, config: RewardConfig, expert: Expert, efficiency: Expert
) -> Reward | InfrastructureError:
    """The reward of one episode; what a judge raised if it could not be asked, since nothing is guessed."""
    try:
        return score(question, rollout, config, expert=expert, efficiency=efficiency)
    except InfrastructureError as error:
        return error


class RewardService:
    """The driver's handle on the reward actor. Should it die, Ray starts it again and asks it again."""

    def __init__(self, config: Config) -> None:
        self._timeout_s = config.rollout.timeout_s
        self._scored = self._episodes = 0
        # A judge is asked about several episodes at once; the rules are quick, and one at a time is as good.
        judges = [judge for judge in (config.reward.judge, config.reward.efficiency_judge) if judge is not None]
        together = {"max_concurrency": min(judge.concurrency for judge in judges)} if judges else {}
        again = {"max_restarts": -1, "max_task_retries": config.rollout.attempts}
        self._actor = RewardActor.options(**placed(config)["reward"].options, **together, **again).remote(config.reward)

    async def score(self, group: RolloutGroup) -> tuple[RolloutGroup, list[str]]:
        """The group, every rollout with its reward; those that the judge could not rate are left out, and why.

        Raises Stalled when that takes longer than rollout.timeout_s, InfrastructureError when the actor dies again
        and again.
        """
        references = [self._actor.score.remote(group.question, each) for each in group.rollouts]
        self._episodes += len(references)
        try:
            results = await within(self._timeout_s, asyncio.gather(*references))
        except TimeoutError as error:
            raise Stalled(f"reward: a group was not scored in {self._timeout_s:.0f} s") from error
        except RayActorError as error:
            raise actor_died("reward", error) from error
        finally:
            self._episodes -= len(references)
        self._scored += 1
        return _scored(group, results), [str(each) for each in results if isinstance(each, InfrastructureError)]

    def signs(self) -> dict[str, Sign]:
        """It is heard of when a group is scored; `episodes` wait for that."""
        return {"reward": Sign(self._scored, figures={"episodes": self._episodes})}


def _scored(group: RolloutGroup, results: Sequence[Reward | InfrastructureError]) -> RolloutGroup:
    rated = zip(group.rollouts, results, strict=True)
    return RolloutGroup(group.question, tuple(replace(r, reward=w) for r, w in rated if isinstance(w, Reward)))
