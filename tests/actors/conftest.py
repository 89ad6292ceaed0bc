import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from medrl.packing import TrainSample
from tests.tiny import save_tiny


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer Llama with tied embeddings and a byte tokenizer."""
    return save_tiny(tmp_path_factory.mktemp("tiny"))


def make_samples(count: int = 7, seed: int = 0) -> list[TrainSample]:
    """Episodes of 6 to 60 tokens; the log-probs of tokens that are no actions are nonsense, and must not matter."""
    rng = random.Random(seed)
    samples = []
    for _ in range(count):
        length = rng.randint(6, 60)
        mask = [False, False, *(rng.random() < 0.5 for _ in range(length - 3)), True]
        samples.append(
            TrainSample(
                token_ids=[rng.randrange(256) for _ in range(length)],
                action_mask=mask,
                logprobs=[-rng.uniform(4, 6) if action else float("nan") for action in mask],
                advantage=rng.uniform(-1, 1),
            )
        )
    return samples


@pytest.fixture(scope="session")
def samples() -> list[TrainSample]:
    return make_samples()


@pytest.fixture(scope="session")
def plain() -> Callable[[list[TrainSample]], list[dict[str, Any]]]:
    """Samples as JSON."""
    return lambda items: [asdict(item) for item in items]
