"""A question is played several times, as training plays it, and what happens is told as it happens. No Ray inside."""

import asyncio
import time
import unicodedata
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from actors.engine import OnTokens
from actors.rollout import persist
from envs.passages import passages
from envs.react import ReactEnv, run_episode
from envs.tools.base import Tool
from envs.tools.selector import Advisor
from launch.ask.calibration import Calibration
from launch.ask.events import Acted, Began, Ended, Failed, Observed, OnEvent, Report, Said
from launch.ask.report import make_report
from medrl.chat import TAGS, ChatCodec, parse_action, thought_of
from medrl.config import Config
from medrl.errors import DataError, InfrastructureError
from medrl.seeds import derive_seed
from medrl.types import Completion, Question, Rollout, Sampling, Step

SAMPLES = 5
MOST_SAMPLES = 64
MOST_QUESTIONS = 32
"""Questions that may be under way at once, those that wait for a place among them."""
TELL_EVERY_S = 0.05
"""How often the turn that is being sampled is told, at most."""


class Busy(Exception):
    """As many questions are under way as may be; try again later."""


class Streams(Protocol):
    """`medrl.types.Generate` that tells of its tokens; `actors.pool.InferencePool.generate` is one."""

    async def __call__(
        self, token_ids: list[int], *, sampling: Sampling, request_id: str, on_tokens: OnTokens | None = None
    ) -> Completion: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and how to play it. The first of `samples` is greedy if `is_greedy_first`; the others are drawn at
    `temperature`, None for that of training. `context` stands before the question. `max_turn_tokens` may only shorten
    turns."""

    text: str
    samples: int = SAMPLES
    temperature: float | None = None
    seed: int = 0
    context: str = ""
    max_turn_tokens: int | None = None
    is_greedy_first: bool = True

    @property
    def is_as_held_out(self) -> bool:
        """Whether it is played as an evaluation plays held-out questions, but for the temperature."""
        return self.is_greedy_first and not self.context and self.max_turn_tokens is None


def check_words(asked: Asked, codec: ChatCodec) -> None:
    """Raises DataError, one line, if it cannot be asked whatever its length."""
    if not asked.text.strip():
        raise DataError("there is no question: ask something")
    if not asked.text.isascii() and any(unicodedata.category(letter) == "Cs" for letter in asked.text):
        raise DataError("the question is not UTF-8: type it again, or mend the terminal's locale")
    if not 1 <= asked.samples <= MOST_SAMPLES:
        raise DataError(f"{asked.samples} samples: ask for 1 to {MOST_SAMPLES}")
    if (control := codec.control_in(asked.context + asked.text)) is not None:
        raise DataError(f"the question spells {control}, which marks turns for this model: leave it out")


def check_length(taken: int, config: Config) -> None:
    """`taken`: tokens of the question and what stands before it. Raises DataError if they leave no room for a turn."""
    room, needed = config.model.max_length - taken, config.env.max_turn_tokens
    if room < needed:
        raise DataError(
            f"the question is too long: with the agent's instructions it takes {taken:,} of the "
            f"{config.model.max_length:,} tokens that the model reads, and a turn needs {needed}; shorten it"
        )


class Agent:
    """A model with its tools, asked as often as one likes; episodes of all questions run side by side."""

    def __init__(
        self,
        name: str,
        config: Config,
        generate: Streams,
        codec: ChatCodec,
        tools: Mapping[str, Tool],
        advisor: Advisor | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        """`name` is what it is called elsewhere, as "quickstart-rl"; `config` has its limits."""
        self.name = name
        self._calibration = calibration
        self._config = config
        self._generate = generate
        self._codec = codec
        self._tools = tools
        self._advisor = advisor
        self._under_way = 0
        self._asked = 0
        together = config.rollout.episodes_in_flight or config.pool.max_sequences * config.pool.engines
        self._places = asyncio.Semaphore(together)

    async def ask(self, asked: Asked, on_event: OnEvent) -> Report:
        """Play the question, and weigh the answers of its samples; the report is told as the last event, too.

        Raises DataError for a question that cannot be asked, Busy, and InfrastructureError if none could be played; the
        first two before it waits for anything.
        """
        begun = time.monotonic()
        results = await self.play(asked, on_event)
        calibration = self._calibration if asked.is_as_held_out else None
        seconds = time.monotonic() - begun
        report = make_report(asked.text, results, calibration, self.temperature(asked), seconds)
        on_event(report)
        return report

    async def play(self, asked: Asked, on_event: OnEvent) -> list[Rollout | InfrastructureError]:
        """The episodes of a question, and why others could not be played. Raises as `ask`, and plays none on once it is
        cancelled."""
        self.check(asked)
        async with self._admitted():
            self._asked += 1
            tasks = [
                asyncio.create_task(self._play(asked, sample, f"ask-{self._asked}-{sample}", on_event))
                for sample in range(asked.samples if self.temperature(asked) else 1)  # greedy ones are all the same
            ]
            try:
                results = await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
        failures = [each for each in results if isinstance(each, InfrastructureError)]
        if len(failures) == len(results):
            raise failures[0]
        return results

    def check(self, asked: Asked) -> None:
        """Raises DataError if it cannot be asked, one line."""
        check_words(asked, self._codec)
        check_length(len(self._env(asked, 0).token_ids), self._config)

    def takes(self, asked: Asked) -> float:
        """Share of all tokens that the model reads which the question takes, with the agent's instructions."""
        return len(self._env(asked, 0).token_ids) / self._config.model.max_length

    def temperature(self, asked: Asked) -> float:
        """That of its samples."""
        return self._config.grpo.temperature if asked.temperature is None else asked.temperature

    async def _play(self, asked: Asked, sample: int, name: str, on_event: OnEvent) -> Rollout | InfrastructureError:
        temperature = 0.0 if asked.is_greedy_first and sample == 0 else self.temperature(asked)
        seed = derive_seed(self._config.seed, "ask", asked.seed, sample)
        sampling = Sampling(temperature, self._config.env.max_turn_tokens, seed=seed)

        async def attempt(number: int) -> Rollout:
            async with self._places:
                on_event(Began(sample, number))
                env = self._env(asked, sample)
                told = _Told(self._generate, self._codec, env, sample, on_event)
                return await run_episode(env, told.generate, sampling, f"{name}-{number}", told.stepped)

        result = await persist(attempt, self._config.rollout.attempts)
        if isinstance(result, Rollout):
            on_event(Ended(sample, result.ending, result.answer))
        else:
            on_event(Failed(sample, str(result)))
        return result

    def _env(self, asked: Asked, sample: int) -> ReactEnv:
        question = Question("asked", asked.context + asked.text.strip(), "", (), 1, "", "heldout", ())
        limits = self._config.env
        if asked.max_turn_tokens is not None:
            shortest = min(asked.max_turn_tokens, limits.max_turn_tokens)
            limits = limits.model_copy(update={"max_turn_tokens": shortest})
        return ReactEnv(
            question, self._tools, self._codec, limits, self._config.model.max_length, sample, self._advisor
        )

    @asynccontextmanager
    async def _admitted(self) -> AsyncIterator[None]:
        if self._under_way >= MOST_QUESTIONS:
            raise Busy(f"{self._under_way} questions are under way, no more are taken now: try again later")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1


class _Told:
    """Tells of one episode between the two things it is made of: turns, and what comes back."""

    def __init__(self, generate: Streams, codec: ChatCodec, env: ReactEnv, sample: int, on_event: OnEvent) -> None:
        self._generate = generate
        self._codec = codec
        self._env = env
        self._sample = sample
        self._tell = on_event
        self._last = 0.0

    async def generate(self, token_ids: list[int], *, sampling: Sampling, request_id: str) -> Completion:
        """`medrl.types.Generate`."""
        on_tokens = self._heard if self._sample == 0 else None
        done = await self._generate(token_ids, sampling=sampling, request_id=request_id, on_tokens=on_tokens)
        text = self._codec.decode_action(done.token_ids)
        action = parse_action(text)
        turn = len(self._env.steps)
        self._tell(Acted(self._sample, turn, thought_of(text), action.call, action.answer, text))
        return done

    def stepped(self, step: Step) -> None:
        """What the turn before brought."""
        if step.observation:
            turn = len(self._env.steps) - 1
            told = Observed(self._sample, turn, step.status, step.observation, passages(step), step.latency_s)
            self._tell(told)

    def _heard(self, token_ids: Sequence[int]) -> None:
        now = time.monotonic()
        if token_ids and now - self._last >= TELL_EVERY_S:
            self._last = now
            self._tell(Said(self._sample, len(self._env.steps), readable(self._codec.decode_action(token_ids))))


def readable(text: str) -> str:
    """A turn that may be unfinished, without tags, nor the beginning of one at its end."""
    for tag in TAGS:
        text = text.replace(tag, " ")
    lead, bracket, last = text.rpartition("<")
    if bracket and any(tag.startswith(bracket + last) for tag in TAGS):
        text = lead
    return text.replace("\ufffd", "").strip()  # the beginning of a letter
