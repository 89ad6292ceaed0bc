"""Rollout workers: processes that run the tool environment against the inference pool.

waits for                      unblocked by
a question from the driver     RolloutWorkers.collect
a completion                   InferencePool.generate, within pool.request_timeout_s
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, TaskCancelledError
from transformers import AutoTokenizer

from actors.failures import actor_died
from actors.placement import light_needs
from actors.pool import InferencePool
from envs.react import ReactEnv, run_episode
from envs.toolbox import open_toolbox
from medrl.chat import ChatCodec
from medrl.config import Config
from medrl.errors import InfrastructureError, Stalled
from medrl.seeds import derive_seed
from medrl.types import Question, Rollout, RolloutGroup, Sampling


@dataclass(frozen=True, slots=True)
class Play:
    """A question to be played `samples` times at a temperature; 0 is greedy."""

    question: Question
    samples: int
    temperature: float


@dataclass(frozen=True, slots=True)
class GroupOutcome:
    """The episodes of one question that came to an end of the policy's own, and why others did not."""

    group: RolloutGroup
    outages: tuple[str, ...]


@ray.remote
class RolloutWorker:
    """Plays episodes, many at a time; while one waits for tokens the others go on.

    Its share of what the engines decode together is under way at once, no more: the turns of more episodes would push
    each other's prefixes out of the engines' cache.
    """

    def __init__(self, config: Config, model: Path, knowledge: Path, pool: InferencePool) -> None:
        self._config = config
        self._pool = pool
        self._codec = ChatCodec(AutoTokenizer.from_pretrained(model))
        self._tools = open_toolbox(knowledge, config.knowledge)
        together = config.pool.max_sequences * config.pool.engines
        self._places = asyncio.Semaphore(-(-together // config.rollout.workers))

    def ready(self) -> None:
        """Returns when the tools are open."""

    async def run_group(self, play: Play, seed: int) -> GroupOutcome:
        """The episodes of one question."""
        episodes = (
            self._play(play.question, sample, play.temperature, derive_seed(seed, sample))
            for sample in range(play.samples)
        )
        results = await asyncio.gather(*episodes)
        rollouts = tuple(result for result in results if isinstance(result, Rollout))
        outages = tuple(str(result) for result in results if isinstance(result, InfrastructureError))
        return GroupOutcome(RolloutGroup(play.question, rollouts), outages)

    async def _play(
        self, question: Question, sample: int, temperature: float, seed: int
    ) -> Rollout | InfrastructureError:
        """One episode, tried again when infrastructure fails under it; the last failure is returned, not scored."""
        limits, max_length = self._config.env, self._config.model.max_length
        sampling = Sampling(temperature, limits.max_turn_tokens, seed=seed)
        for attempt in range(self._config.rollout.attempts):
            name = f"{question.id}-{sample}-{seed}-{attempt}"
            async with self._places:
                env = ReactEnv(question, self._tools, self._codec, limits, max_length, sample)
                try:
                    return await run_episode(env, self._pool.generate, sampling, name)
                except InfrastructureError as error:
                    failure = error
        return failure


class RolloutWorkers:
    """The driver's handle on all workers. Plays are dealt round robin; their outcomes come back in order."""

    def __init__(self, config: Config, model: Path, knowledge: Path, pool: InferencePool) -> None:
        """Start `rollout.workers` processes. `model` is the folder of the tokenizer, `knowledge` of the documents."""
        self._timeout_s = config.rollout.timeout_s
        needs = [light_needs(config, f"rollout-{rank}") for rank in range(config.rollout.workers)]
        self._workers = [RolloutWorker.options(**each.options).remote(config, model, knowledge, pool) for each in needs]
        starting = [worker.ready.remote() for worker in self._workers]
        _, late = ray.wait(starting, num_returns=len(starting), timeout=config.pool.start_timeout_s)
        if late:
            raise Stalled(f"{len(late)} rollout workers did not start in {config.pool.start_timeout_s:.0f} s")
        try:
            ray.get(starting)
        except RayActorError as error:
            raise actor_died("a rollout worker", error, "its start") from error

    def collect(
        self,
        plays: Sequence[Play],
        seed: int,
        on_group: Callable[[int], None] = lambda episodes: None,
    ) -> list[GroupOutcome]:
        """The outcomes of `plays`, in their order; `on_group(episodes done)` is called as groups finish.

        An episode's seed depends on the run's seed, the question and the sample alone, whatever the number of workers.
        (What an engine makes of it may still differ in the last bits with the company it is computed in.) Raises
        Stalled, naming the workers, after rollout.timeout_s.
        """
        pending = {}
        for index, play in enumerate(plays):
            worker = self._workers[index % len(self._workers)]
            reference = worker.run_group.remote(play, derive_seed(seed, play.question.id))
            pending[reference] = index
        outcomes: dict[int, GroupOutcome] = {}
        while pending:
            ready, _ = ray.wait(list(pending), timeout=self._timeout_s)
            if not ready:
                names = sorted({f"rollout-{index % len(self._workers)}" for index in pending.values()})
                raise Stalled(f"no episode finished in {self._timeout_s:.0f} s; {', '.join(names)} still at work")
            for reference in ready:
                index = pending.pop(reference)
                try:
                    outcomes[index] = ray.get(reference)
                except (RayActorError, OutOfMemoryError, TaskCancelledError) as error:
                    raise actor_died(f"rollout-{index % len(self._workers)}", error) from error
                on_group(plays[index].samples)
        return [outcomes[index] for index in range(len(plays))]
