"""An episode token by token: texts, who wrote them, what sampler and learner made of them, and the advantage."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from tokenizers import Tokenizer

from launch.model import resolve_model
from medrl.config import Config
from medrl.errors import ConfigError, DataError
from medrl.grpo import group_advantages
from medrl.records import fault
from medrl.sections.learning import GRPOConfig
from medrl.types import Rollout

_BROKEN = "\ufffd"


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the learner made of one episode: its log-probs of the action tokens, in nats, before the update."""

    question_id: str
    sample: int
    advantage: float
    logprobs: list[float]


_LEARNT = TypeAdapter(Learnt)


class TokenTexts:
    """The run's tokenizer, loaded when it is first needed."""

    def __init__(self, run: Path) -> None:
        self._trained = run / "checkpoints" / "sft" / "tokenizer.json"
        self._tokenizer: Tokenizer | None = None

    def of(self, token_ids: Sequence[int], config: Config | None) -> list[str]:
        """A text a token. Where letters are made of several tokens, the first has them and the others "".

        Raises ConfigError if the tokenizer cannot be had.
        """
        if self._tokenizer is None:
            self._tokenizer = Tokenizer.from_file(str(self._file(config)))
        return _texts(self._tokenizer, token_ids)

    def _file(self, config: Config | None) -> Path:
        if self._trained.is_file():
            return self._trained
        if config is None:
            raise ConfigError("the run has neither checkpoints/sft nor a config.yaml that names its model")
        return resolve_model(config.model, Path(config.knowledge.cache)) / "tokenizer.json"


def _texts(tokenizer: Tokenizer, token_ids: Sequence[int]) -> list[str]:
    texts: list[str] = tokenizer.decode_batch([[each] for each in token_ids], skip_special_tokens=False)
    start = 0
    while start < len(texts):
        end = start
        while end < len(texts) and _BROKEN in texts[end]:
            end += 1
        if end > start:
            whole = tokenizer.decode(list(token_ids[start:end]), skip_special_tokens=False)
            texts[start:end] = [whole, *[""] * (end - start - 1)]
        start = end + 1
    return texts


def read_learnt(path: Path, question_id: str, sample: int) -> Learnt | None:
    """The line of a *.tokens.jsonl that is about this episode; None if there is none, or no such file.

    Raises DataError if that line is broken.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    named = question_id.encode()
    with file:
        for line in file:
            if named in line and line.endswith(b"\n"):
                try:
                    learnt = _LEARNT.validate_json(line)
                except ValidationError as error:
                    raise DataError(f"{path.name}: {fault(error)}") from error
                if (learnt.question_id, learnt.sample) == (question_id, sample):
                    return learnt
    return None


def advantages(rollouts: Sequence[Rollout], settings: GRPOConfig) -> list[float | None]:
    """Of the episodes of one group, from their rewards; None where one has none, as it is in no baseline."""
    scored = [rollout.reward.total for rollout in rollouts if rollout.reward is not None]
    values = iter(
        group_advantages(
            torch.tensor(scored, dtype=torch.float64),
            torch.zeros(len(scored), dtype=torch.int64),
            baseline=settings.baseline,
            divide_by_std=settings.divide_by_std,
        ).tolist()
    )
    return [next(values) if rollout.reward is not None else None for rollout in rollouts]


def token_view(rollout: Rollout, learnt: Learnt | None) -> dict[str, Any]:
    """Lists over the episode's tokens; None where the policy did not act.

    {"mask", "sampler": log-probs, "version", "learner": log-probs, "ratio": learner's over sampler's probability};
    the last two are None as a whole where nothing was recorded. Raises DataError if `learnt` is of other tokens.
    """
    mask = rollout.action_mask

    def acted(values: Sequence[float]) -> list[float | None]:
        return [value if on else None for value, on in zip(values, mask, strict=True)]

    view: dict[str, Any] = {
        "mask": mask,
        "sampler": acted(rollout.logprobs),
        "version": acted(rollout.versions),
        "learner": None,
        "ratio": None,
    }
    if learnt is None:
        return view
    if len(learnt.logprobs) != sum(mask):
        raise DataError(f"{len(learnt.logprobs)} log-probs of the learner for {sum(mask)} action tokens")
    given = iter(learnt.logprobs)
    learner = [next(given) if on else None for on in mask]
    ratio = [
        math.exp(min(new - old, 50.0)) if new is not None else None
        for new, old in zip(learner, rollout.logprobs, strict=True)
    ]
    return view | {"learner": learner, "ratio": ratio}
