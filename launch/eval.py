"""Evaluation on held-out questions, greedy and at the training temperature, through the same actors as training."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from actors.rollout import Play
from launch.players import Players
from launch.trajectories import TrajectoryLog
from medrl.config import Config
from medrl.errors import InfrastructureError
from medrl.progress import Progress
from medrl.seeds import derive_seed
from medrl.types import Question, RolloutGroup

MODES = ("greedy", "sampled")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Pass rates by question, in question order: greedy (0 or 1), and sampled, the mean over the samples, None where
    none were drawn. `mean_tool_calls` is that of the greedy episodes."""

    greedy: list[float]
    sampled: list[float] | None
    hops: list[int]
    mean_tool_calls: float


def evaluate(
    config: Config, players: Players, questions: Sequence[Question], part: str, samples: int, log: TrajectoryLog
) -> Evaluation:
    """Play every question once greedily and `samples` times at the training temperature, all together.

    Episodes are kept as trajectories/<part>.jsonl (greedy) and <part>-sampled.jsonl. Raises InfrastructureError if an
    episode could not be played: a question that was not asked is not a wrong answer.
    """
    plays = [Play(question, 1, 0.0) for question in questions]
    if samples:
        plays += [Play(question, samples, config.grpo.temperature) for question in questions]
    with Progress(f"eval {part}", len(questions) * (1 + samples), "episode") as progress:
        outcomes = asyncio.run(players.play_all(plays, derive_seed(config.seed, "eval"), progress.advance))
    groups = [outcome.group for outcome in outcomes]
    outages = [reason for outcome in outcomes for reason in outcome.outages]
    if outages:
        raise InfrastructureError(f"{len(outages)} evaluation episodes could not be played; the first: {outages[0]}")
    greedy, sampled = groups[: len(questions)], groups[len(questions) :]
    log.write(part, greedy)
    if sampled:
        log.write(f"{part}-sampled", sampled)
    return Evaluation(
        greedy=[_pass_rate(group) for group in greedy],
        sampled=[_pass_rate(group) for group in sampled] or None,
        hops=[question.hops for question in questions],
        mean_tool_calls=sum(group.rollouts[0].num_tool_calls for group in greedy) / len(greedy),
    )


def _pass_rate(group: RolloutGroup) -> float:
    rewards = [rollout.reward for rollout in group.rollouts if rollout.reward is not None]
    return sum(reward.task for reward in rewards) / len(rewards)
