"""The actors that play episodes: inference pool, rollout workers, reward actor."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from actors.pool import InferencePool
from actors.reward import RewardService
from actors.rollout import RolloutWorkers
from medrl.config import Config


@dataclass(frozen=True, slots=True)
class Players:
    """Handles on the running actors; shared by training and evaluation."""

    pool: InferencePool
    workers: RolloutWorkers
    reward: RewardService


@contextmanager
def start_players(config: Config, model: Path, knowledge: Path) -> Iterator[Players]:
    """Start the actors on `model`, inside a running Ray session."""
    pool = InferencePool(config, model)
    try:
        yield Players(pool, RolloutWorkers(config, model, knowledge, pool), RewardService(config))
    finally:
        pool.close()
