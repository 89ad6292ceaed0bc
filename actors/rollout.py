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
from transformers import AutoTokenizer

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
class GroupOutcome:
    """The episodes of one question that came to an end of the policy's own, and why others did not."""

    group: RolloutGroup
    outages: tuple[str, ...]


@ray.remote
class RolloutWorker:
    """Plays episodes, many at a time; while one waits for tokens the others go on."""

    def __init__(self, config: Config, model: Path, knowledge: Path, pool: InferencePool) -> None:
        self._config = config
        self._pool = pool
        self._codec = ChatCodec(AutoTokenizer.from_pretrained(model))
        self._tools = open_toolbox(knowledge, config.knowledge)

    async def run_group(self, question: Question, samples: int, temperature: float, seed: int) -> GroupOutcome:
        """Play `samples` episodes of one question at once."""
        plays = (self._play(question, sample, temperature, derive_seed(seed, sample)) for sample in range(samples))
        results = await asyncio.gather(*plays)
        rollouts = tuple(result for result in results if isinstance(result, Rollout))
        outages = tuple(str(result) for result in results if isinstance(result, InfrastructureError))
        return GroupOutcome(RolloutGroup(question, rollouts), outages)

    async def _play(
        self, question: Question, sample: int, temperature: float, seed: int
    ) -> Rollout | InfrastructureError:
        """One episode, tried again when infrastructure fails under it; the last failure is returned, not scored."""
        limits, max_length = self._config.env, self._config.model.max_length
        for attempt in range(self._config.rollout.attempts):
            env = ReactEnv(question, self._tools, self._codec, limits, max_length, sample)
            sampling = Sampling(temperature, limits.max_turn_tokens, seed=seed)
            try:
                return await run_episode(env, self._pool.generate, sampling, f"{question.id}-{sample}-{seed}-{attempt}")
            except InfrastructureError as error:
                failure = error
        return failure


class RolloutWorkers:
    """The driver's handle on all workers. Questions are dealt round robin; results come back in question order."""

    def __init__(self, config: Config, model: Path, knowledge: Path, pool: InferencePool) -> None:
        """Start `rollout.workers` processes. `model` is the folder of the tokenizer, `knowledge` of the documents."""
        self._timeout_s = config.rollout.timeout_s
        needs = [light_needs(config, f"rollout-{rank}") for rank in range(config.rollout.workers)]
        self._workers = [RolloutWorker.options(**each.options).remote(config, model, knowledge, pool) for each in needs]

    def collect(
        self,
        questions: Sequence[Question],
        samples: int,
        temperature: float,
        seed: int,
        on_group: Callable[[int], None] = lambda episodes: None,
    ) -> list[GroupOutcome]:
        """Play `samples` episodes of each question; `on_group(episodes done)` is called as groups finish.

        An episode's seed depends on the run's seed, the question and the sample alone, so the number of workers does
        not change the data. Raises Stalled, naming the workers, after rollout.timeout_s.
        """
        pending = {}
        for index, question in enumerate(questions):
            worker = self._workers[index % len(self._workers)]
            reference = worker.run_group.remote(question, samples, temperature, derive_seed(seed, question.id))
            pending[reference] = index
        outcomes: dict[int, GroupOutcome] = {}
        while pending:
            ready, _ = ray.wait(list(pending), timeout=self._timeout_s)
            if not ready:
                names = sorted({f"rollout-{index % len(self._workers)}" for index in pending.values()})
                raise Stalled(f"no episode finished in {self._timeout_s:.0f} s; {', '.join(names)} still at work")
            for reference in ready:
                index = pending.pop(reference)
                outcomes[index] = ray.get(reference)
                on_group(samples)
        return [outcomes[index] for index in range(len(questions))]
