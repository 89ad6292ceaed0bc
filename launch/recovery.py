"""Work with a learner that may be lost under it."""

import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from tqdm import tqdm

from actors.learner import LearnerGroup
from launch.checkpoints import Checkpoints
from medrl.errors import LearnerLost

T = TypeVar("T")
StartLearner = Callable[[], AbstractContextManager[LearnerGroup]]


async def with_learner(
    start: StartLearner, work: Callable[[LearnerGroup], Awaitable[T]], checkpoints: Checkpoints, restarts: int
) -> T:
    """`work`, with a learner that is closed afterwards.

    When the learner is lost, `work` is called again with a new one, to go on from the last checkpoint as the whole run
    would. Raises LearnerLost after `restarts` losses in a row with no new checkpoint between them.
    """
    lost = 0
    while True:
        before = checkpoints.last
        try:
            with start() as learner:
                return await work(learner)
        except LearnerLost as error:
            lost = lost + 1 if checkpoints.last == before else 1
            if lost > restarts:
                raise
            tqdm.write(f"{error}; going on from the last checkpoint with a new learner", file=sys.stderr)
