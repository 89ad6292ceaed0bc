"""Where questions are made: one seed in, one proved and solved question out. Any number of processes do the same.

What is made of a seed depends on the seed, the attempt, what is wanted and the run's seed alone, so the number of
processes changes nothing but the time.
"""

import asyncio
import multiprocessing
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from envs.store import Memory
from envs.toolbox import build_indexes, encode_queries, open_toolbox
from envs.tools.base import Tool
from envs.tools.replay import Recorded
from kisa.candidates import Candidates, Wanted
from kisa.expansion import RetrieverDiscovery, discovery_queries
from kisa.graph import KnowledgeGraph
from kisa.knowledge import load_graph
from kisa.probes import one_search_answers
from kisa.trajectories import demonstrate, teachers_advisor
from kisa.validity import rules
from medrl.chat import ChatCodec
from medrl.config import Config
from medrl.errors import InfrastructureError
from medrl.processes import end_with_parent
from medrl.sections.kisa import KisaConfig
from medrl.types import Question, Rollout

#: Different ones that growth asks; 1,643 for the 710 questions of the quickstart.
_QUERIES_A_QUESTION = 2.3
#: How many times as long a query takes to encode alone as among thousands: 5 measured in float32, 20 in bfloat16.
_ALONE = 10


@dataclass(frozen=True, slots=True)
class Task:
    """A seed to make a question of. `seed`: the entity's id."""

    seed: str
    attempt: int
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Made:
    """A question with the teacher's episode. `rollout` is None if the teacher did not solve it."""

    question: Question
    rollout: Rollout | None


class Workshop:
    """The graph, the rules and the tools, ready to make questions."""

    def __init__(self, config: Config, knowledge: Path, tokenizer: Any, graph: KnowledgeGraph | None = None) -> None:
        self.graph = graph or load_graph(config.knowledge, context=config.kisa.context)
        expected = expected_queries(self.graph, config.kisa)
        opened = open_toolbox(knowledge, config.knowledge, threads=1, expected=expected)  # one query: one core
        self._tools: dict[str, Tool] = {
            name: Recorded(tool, Memory()) for name, tool in opened.items()
        }  # asked for twice: discovery, the teacher
        discover = RetrieverDiscovery(self._tools["medical_retriever"], self.graph)
        validity = rules(self.graph, config.kisa, config.seed)
        self._candidates = Candidates(self.graph, validity, discover, config.kisa, config.seed)
        self._codec = ChatCodec(tokenizer)
        self._advisor = teachers_advisor(config, knowledge)
        self._config = config

    def make(self, task: Task) -> Made | None:
        """The task's question, proved and tried; None if its seed gives none. Raises ToolOutage."""
        return asyncio.run(self._make(task))

    def play(self, question: Question) -> Made | None:
        """The question with the teacher's episode; None if one search answers it. Raises ToolOutage."""
        return asyncio.run(self._play(question))

    async def _play(self, question: Question) -> Made | None:
        if self._config.kisa.refuse_one_search and await one_search_answers(question, self._tools["medical_retriever"]):
            return None
        rollout = await demonstrate(question, self._tools, self._codec, self._config, self._advisor)
        return Made(question, rollout)

    async def _make(self, task: Task) -> Made | None:
        question = await self._candidates.make(self.graph.entities[task.seed], task.attempt, task.wanted)
        return None if question is None else await self._play(question)


class Crew(Protocol):
    """Those who make questions."""

    def make(self, tasks: Sequence[Task]) -> Iterable[Made | None]:
        """What is made of each task, in order. Raises ToolOutage."""

    def play(self, questions: Sequence[Question]) -> Iterable[Made | None]:
        """Each question, in order, with a new episode; None for one that one search answers. Raises ToolOutage."""


class _Alone:
    """A workshop in this process."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def make(self, tasks: Sequence[Task]) -> Iterable[Made | None]:
        return map(self._workshop.make, tasks)

    def play(self, questions: Sequence[Question]) -> Iterable[Made | None]:
        return map(self._workshop.play, questions)


class _Together:
    """A workshop in each of a pool's processes."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def make(self, tasks: Sequence[Task]) -> Iterable[Made | None]:
        return self._pool.map(_make, tasks)

    def play(self, questions: Sequence[Question]) -> Iterable[Made | None]:
        return self._pool.map(_play, questions)


def expected_queries(graph: KnowledgeGraph, config: KisaConfig) -> list[str]:
    """Queries to encode together before work begins: all that growth may ask, if enough of them will be; else none."""
    queries = discovery_queries(graph)
    likely = _QUERIES_A_QUESTION * (config.train_questions + config.heldout_questions)
    return queries if likely * _ALONE > len(queries) else []


@contextmanager
def crew(graph: KnowledgeGraph, config: Config, knowledge: Path, tokenizer: Any) -> Iterator[Crew]:
    """`config.kisa.workers` processes with a workshop each; for one, a workshop here, on `graph`."""
    if config.kisa.workers == 1:
        workshop = Workshop(config, knowledge, tokenizer, graph)
        yield _Alone(workshop)
        return
    # Once, on all cores, before each worker opens them.
    build_indexes(knowledge, config.knowledge)
    if expected := expected_queries(graph, config.kisa):
        encode_queries(expected, config.knowledge)
    arguments = (config, knowledge, tokenizer)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(config.kisa.workers, spawn, initializer=_open, initargs=arguments) as pool:
        try:
            yield _Together(pool)
        except BrokenProcessPool as error:
            raise InfrastructureError(
                "a worker of the synthesis died: if for want of memory, lower kisa.workers; the same command goes on"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # or the rest of the round would be made for nobody
            raise


_workshop: Workshop  # one a process


def _open(config: Config, knowledge: Path, tokenizer: Any) -> None:
    global _workshop
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _workshop = Workshop(config, knowledge, tokenizer)


def _make(task: Task) -> Made | None:
    return _workshop.make(task)


def _play(question: Question) -> Made | None:
    return _workshop.play(question)
