"""Weights that change under running requests: a real engine on a tiny model, every token against Hugging Face's."""

import asyncio
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from actors import placement
from actors.pool import InferencePool
from medrl.config import parse
from medrl.types import Completion
from tests.actors.test_engines import PROMPT, requests, weights
from tests.tiny import save_tiny

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REQUESTS = 40
"""More than run together: at any moment some are half-way."""


def log_probs(one: Completion, policies: dict[int, LlamaForCausalLM], keep: bool) -> list[float]:
    """Of each token under the version it claims, nats. `keep`: with the keys and values that older versions left."""
    ids = torch.tensor([PROMPT + one.token_ids])
    found: list[float] = []
    cache, fed = None, 0
    for version in sorted(set(one.versions)):
        if not keep:
            cache, fed = None, 0
        known = len(PROMPT) + len(found)  # tokens there when this version samples its first
        until = known + one.versions.count(version)
        with torch.inference_mode():
            # All but the last token of a version are in its cache when the next one takes over.
            output = policies[version](ids[:, fed : until - 1], past_key_values=cache, use_cache=True)
        rows = output.logits[0, known - 1 - fed :].log_softmax(-1)
        found += [row[token].item() for row, token in zip(rows, one.token_ids[len(found) :], strict=False)]
        cache, fed = output.past_key_values, until - 1
    return found


def apart(one: Completion, expected: list[float]) -> float:
    return max(abs(own - other) for own, other in zip(one.logprobs, expected, strict=True))


@pytest.mark.contract("6 staleness", "recompute and keep: every token has the log-prob of its own version")
@pytest.mark.parametrize("on_update", ["recompute", "keep"])
def test_tokens_before_and_after_a_change_are_of_their_own_policy(on_update: str, tmp_path: Path) -> None:
    keep = on_update == "keep"
    values = {
        "name": "flight",
        "run_dir": str(tmp_path / "run"),
        "model": {"dtype": "float32", "max_length": 512},
        "pool": {"kv_cache_gb": 0.1, "max_sequences": 8, "on_update": on_update},
    }
    config = parse(values, "the test")
    first, one = weights(tmp_path / "a", 1)
    second, two = weights(tmp_path / "b", 2)
    policies = {1: one, 2: two}

    async def swap(pool: InferencePool) -> list[Completion]:
        running = asyncio.create_task(requests(pool, "swap", REQUESTS, tokens=400))
        await asyncio.sleep(0.5)
        await pool.update_weights(second)
        return await running

    with placement.session(config):
        pool = InferencePool(config, save_tiny(tmp_path / "model"))
        asyncio.run(pool.update_weights(first))
        undisturbed = asyncio.run(requests(pool, "quiet", REQUESTS, tokens=400))
        done = asyncio.run(swap(pool))
        later = asyncio.run(requests(pool, "later", tokens=50))
        pool.close()

    mixed = [each for each in done if set(each.versions) == {1, 2}]
    assert len(mixed) > 3
    for each, quiet in zip(done, undisturbed, strict=True):
        assert each.versions == sorted(each.versions)
        before = each.versions.count(1)
        assert each.token_ids[:before] == quiet.token_ids[:before]
        assert apart(each, log_probs(each, policies, keep)) < 1e-3
    for each in mixed:  # so the figure above could have been another
        assert apart(each, log_probs(each, policies, not keep)) > 1e-2
    for each in later:  # nothing of the old caches is met again
        assert set(each.versions) == {2} and apart(each, log_probs(each, {2: two}, keep)) < 1e-3
