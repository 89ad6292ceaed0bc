"""The curriculum's actor: which questions come next, steered by the pass rates so far.

waits for                     unblocked by
the driver: questions         the actor, within rollout.timeout_s

The state comes back with every answer, so that an actor that dies is put where it was, and a checkpoint needs no call.
"""

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

import ray
from ray.exceptions import RayActorError

from actors.failures import actor_died
from actors.placement import placed
from medrl.config import Config
from medrl.curriculum import Curriculum, random_state, restore_random
from medrl.deadlines import within
from medrl.errors import InfrastructureError, Stalled
from medrl.sections.learning import CurriculumConfig
from medrl.seeds import derive_seed
from medrl.types import Question, RolloutGroup

CurriculumState = dict[str, Any]
ATTEMPTS = 5
RETRY_AFTER_S = 1.0


@ray.remote
class CurriculumActor:
    """`medrl.curriculum.Curriculum` and its randomness, in a process of its own."""

    def __init__(self, config: CurriculumConfig, questions: Sequence[Question]) -> None:
        self._config = config
        self._questions = {question.id: question for question in questions}
        self._curriculum: Curriculum | None = None
        self._rng = random.Random()

    def restore(self, state: CurriculumState) -> None:
        """Go on from `state`."""
        self._curriculum = Curriculum.from_state(state["curriculum"], self._config)
        restore_random(self._rng, state["random"])

    def sample(self, count: int) -> tuple[list[Question], CurriculumState] | None:
        """The next questions; None if this actor has just been started and knows nothing yet."""
        if self._curriculum is None:
            return None
        return self._curriculum.sample(self._rng, list(self._questions.values()), count), self._state()

    def observe(
        self, groups: Sequence[RolloutGroup], unplayed: Sequence[Question]
    ) -> tuple[dict[str, float], CurriculumState] | None:
        """Learn from one step's scored groups, take back questions that could not be played; the metrics after that."""
        if self._curriculum is None:
            return None
        self._curriculum.give_back(unplayed)
        self._curriculum.observe(groups)
        return self._curriculum.metrics(), self._state()

    def _state(self) -> CurriculumState:
        assert self._curriculum is not None
        return {"curriculum": self._curriculum.state(), "random": random_state(self._rng)}


class CurriculumService:
    """The driver's handle. `state` is where the curriculum stands: JSON values, for a checkpoint."""

    def __init__(self, config: Config, questions: Sequence[Question], state: Mapping[str, Any] | None = None) -> None:
        """`state`: of a checkpoint; None: from the start."""
        self._timeout_s = config.rollout.timeout_s
        self._asking = asyncio.Lock()  # so that no answer is undone by another's `restore`
        strata = sorted({question.hops for question in questions})
        rng = random.Random(derive_seed(config.seed, "curriculum"))
        fresh = {"curriculum": Curriculum(strata, config.curriculum).state(), "random": random_state(rng)}
        self.state: CurriculumState = dict(state or fresh)
        self._actor = CurriculumActor.options(**placed(config)["curriculum"].options, max_restarts=-1).remote(
            config.curriculum, questions
        )

    @classmethod
    @contextmanager
    def running(cls, *arguments: Any) -> Iterator[Self]:
        """As the constructor; the actor is stopped at the end of the block."""
        service = cls(*arguments)
        try:
            yield service
        finally:
            ray.kill(service._actor)

    async def sample(self, count: int) -> list[Question]:
        """The next `count` questions. Raises InfrastructureError when the actor dies again and again."""
        questions: list[Question] = await self._ask("sample", count)
        return questions

    async def observe(self, groups: Sequence[RolloutGroup], unplayed: Sequence[Question] = ()) -> dict[str, float]:
        """Take in one step's groups, the task term alone; `curriculum/*` metrics."""
        bare = [_task_alone(group) for group in groups]
        metrics: dict[str, float] = await self._ask("observe", bare, list(unplayed))
        return metrics

    async def _ask(self, method: str, *arguments: Any) -> Any:
        """Ask; an actor that died, or was started again since, is put where `state` says and asked again."""
        async with self._asking:
            return await self._ask_alone(method, *arguments)

    async def _ask_alone(self, method: str, *arguments: Any) -> Any:
        failure: InfrastructureError | None = None
        for _ in range(ATTEMPTS):
            try:
                reply = await within(self._timeout_s, getattr(self._actor, method).remote(*arguments))
                if reply is not None:
                    result, self.state = reply
                    return result
                await within(self._timeout_s, self._actor.restore.remote(self.state))
            except TimeoutError as error:
                raise Stalled(f"curriculum did not {method} in {self._timeout_s:.0f} s") from error
            except RayActorError as error:
                failure = actor_died("curriculum", error, method)
                await asyncio.sleep(RETRY_AFTER_S)
        raise failure or InfrastructureError(f"curriculum was restarted {ATTEMPTS} times during one {method}")


def _task_alone(group: RolloutGroup) -> RolloutGroup:
    """The group without its tokens, which the curriculum does not read and need not be sent."""
    empty: dict[str, list[Any]] = {"token_ids": [], "action_mask": [], "logprobs": [], "versions": [], "steps": []}
    return RolloutGroup(group.question, tuple(replace(each, **empty) for each in group.rollouts))
