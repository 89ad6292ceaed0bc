"""Rollout workers: processes that run the tool environment against the inference pool.

waits for                      unblocked by
a question from the driver     RolloutWorkers.play
a completion                   InferencePool.generate, within pool.request_timeout_s
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, TaskCancelledError
from transformers import AutoTokenizer

from actors.failures import actor_died, unheard
from actors.meter import Meter, Reading
from actors.placement import placed
from actors.pool import InferencePool
from actors.seats import worker_names
from actors.signs import Sign
from envs.react import ReactEnv, run_episode
from envs.toolbox import open_toolbox, open_vocabulary
from envs.tools.base import Tool
from envs.tools.selector import Advisor, Selector
from medrl.chat import ChatCodec
from medrl.config import Config
from medrl.errors import InfrastructureError, NotRecorded, Stalled
from medrl.sections.knowledge import KnowledgeConfig
from medrl.seeds import derive_seed
from medrl.types import Question, Rollout, RolloutGroup, Sampling

MOST_GROUPS = 10_000
"""Groups under way on one worker; Ray's own limit is 1,000."""


OpenTools = Callable[[Path, KnowledgeConfig], Mapping[str, Tool]]


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

    Unless `rollout.episodes_in_flight` says otherwise, its share of what the engines decode together is under way at
    once, no more: the turns of more episodes would push each other's prefixes out of the engines' cache.
    """

    def __init__(
        self,
        config: Config,
        model: Path,
        knowledge: Path,
        pool: InferencePool,
        open_tools: OpenTools,
        selector: Selector | None,
    ) -> None:
        self._config = config
        self._pool = pool
        self._codec = ChatCodec(AutoTokenizer.from_pretrained(model))
        self._tools = open_tools(knowledge, config.knowledge)
        self._advisor: Advisor | None = None
        if selector is not None:
            self._advisor = Advisor(selector, open_vocabulary(knowledge, config.knowledge))
        together = config.rollout.episodes_in_flight or config.pool.max_sequences * config.pool.engines
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
        """One episode, tried again when infrastructure fails under it."""
        limits, max_length = self._config.env, self._config.model.max_length
        sampling = Sampling(temperature, limits.max_turn_tokens, seed=seed)

        async def play(attempt: int) -> Rollout:
            async with self._places:
                env = ReactEnv(question, self._tools, self._codec, limits, max_length, sample, self._advisor)
                name = f"{question.id}-{sample}-{seed}-{attempt}"
                return await run_episode(env, self._pool.generate, sampling, name)

        return await persist(play, self._config.rollout.attempts)


async def persist(play: Callable[[int], Awaitable[Rollout]], attempts: int) -> Rollout | InfrastructureError:
    """The episode that `play` brings, given the number of the attempt, from 0; after `attempts` the last failure, which
    is never scored. What a replay lacks it would lack again, so that is not asked for twice."""
    for attempt in range(attempts):
        try:
            return await play(attempt)
        except NotRecorded as error:
            return error
        except InfrastructureError as error:
            failure = error
    return failure


class RolloutWorkers:
    """The driver's handle on all workers: a play goes to the one with least to do.

    A worker that dies is started again by Ray, and what it had under way is played again there, with the same seeds.
    """

    def __init__(
        self,
        config: Config,
        model: Path,
        knowledge: Path,
        pool: InferencePool,
        open_tools: OpenTools = open_toolbox,
        selector: Selector | None = None,
    ) -> None:
        """Start `rollout.workers` processes. `model` is the folder of the tokenizer, `knowledge` of the documents that
        `open_tools`, called in each process, makes the tools from; `selector` says before each turn which class of tool
        is likely."""
        self._timeout_s = config.rollout.timeout_s
        self._names = worker_names(config)
        needs = placed(config)
        again = {"max_restarts": -1, "max_task_retries": config.rollout.attempts, "max_concurrency": MOST_GROUPS}
        self._workers = [
            RolloutWorker.options(**needs[name].options, **again).remote(
                config, model, knowledge, pool, open_tools, selector
            )
            for name in self._names
        ]
        self._load = [0] * len(self._workers)
        self._episodes = [Meter() for _ in self._workers]
        self._outcomes = [0] * len(self._workers)
        self._last_outcome = time.monotonic()
        starting = [worker.ready.remote() for worker in self._workers]
        _, late = ray.wait(starting, num_returns=len(starting), timeout=config.pool.start_timeout_s)
        if late:
            raise Stalled(f"{len(late)} rollout workers did not start in {config.pool.start_timeout_s:.0f} s")
        try:
            ray.get(starting)
        except RayActorError as error:
            raise actor_died("a rollout worker", error, "its start") from error

    async def play(self, play: Play, seed: int) -> GroupOutcome:
        """The episodes of one question; `seed` alone decides theirs, whatever the number of workers.

        (What an engine makes of a seed may still differ in the last bits with the company it is computed in.) A play
        under which its worker dies again and again is an outage. Raises Stalled, naming the workers at work, when
        none of them has finished a play for rollout.timeout_s.
        """
        index = self._load.index(min(self._load))
        if not any(self._load):
            self._last_outcome = time.monotonic()  # nobody has been at work until now
        self._load[index] += 1
        self._episodes[index].add(play.samples)
        try:
            reference = self._workers[index].run_group.remote(play, seed)
            outcome: GroupOutcome = await self._outcome(reference)
        except (RayActorError, OutOfMemoryError, TaskCancelledError) as error:
            outcome = GroupOutcome(RolloutGroup(play.question, ()), (str(actor_died(self._names[index], error)),))
        finally:
            self._load[index] -= 1
            self._episodes[index].add(-play.samples)
        self._outcomes[index] += 1
        self._last_outcome = time.monotonic()
        return outcome

    def readings(self) -> dict[str, Reading]:
        """The episodes that every worker has, those that wait for a place in it among them; by name."""
        return {name: meter.reading() for name, meter in zip(self._names, self._episodes, strict=True)}

    def signs(self) -> dict[str, Sign]:
        """A worker is heard of when it has finished a group."""
        heard = zip(self._names, self._outcomes, self._episodes, strict=True)
        return {name: Sign(count, figures={"episodes": meter.under_way}) for name, count, meter in heard}

    async def _outcome(self, reference: Any) -> GroupOutcome:
        pending = asyncio.wrap_future(reference.future())
        pending.add_done_callback(unheard)
        try:
            while not (await asyncio.wait({pending}, timeout=self._timeout_s / 10))[0]:
                if time.monotonic() - self._last_outcome > self._timeout_s:
                    busy = ", ".join(name for name, load in zip(self._names, self._load, strict=True) if load)
                    raise Stalled(f"no episode finished in {self._timeout_s:.0f} s; {busy} still at work")
        except asyncio.CancelledError:
            ray.cancel(reference)
            raise
        return pending.result()
