"""Sampler and learner on the real packaged model: vLLM and DeepSpeed, each in its own actor, the same weights, in the
type that this machine multiplies fast."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psutil
import pytest
from transformers import AutoTokenizer

from actors import placement
from actors.learner import LearnerGroup
from actors.pool import InferencePool
from launch.model import resolve_model
from medrl.config import Config, parse
from medrl.errors import LearnerLost
from medrl.packing import TrainSample
from medrl.types import Completion, Sampling

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MOST_NATS = {"bfloat16": 0.05, "float32": 0.001}
MOVED_NATS = 0.1
"""Less than what one AdamW step at 1e-4 moves the sampled tokens."""
TOPICS = ("genes", "fever", "rain", "Paris", "music", "iron", "dogs", "the sun")


@dataclass(frozen=True, slots=True)
class Running:
    config: Config
    model: Path
    pool: InferencePool
    learner: LearnerGroup
    prompts: list[list[int]]

    @property
    def most_nats(self) -> float:
        """That rounding alone may put sampler and learner apart."""
        return MOST_NATS[self.config.model.dtype]

    def sample(self, temperature: float, name: str, tokens: int = 64) -> list[Completion]:
        async def run() -> list[Completion]:
            return await asyncio.gather(
                *(
                    self.pool.generate(
                        prompt, sampling=Sampling(temperature, tokens, seed=i), request_id=f"{name}-{i}/0"
                    )
                    for i, prompt in enumerate(self.prompts)
                )
            )

        return asyncio.run(run())

    def train_samples(self, completions: list[Completion]) -> list[TrainSample]:
        return [
            TrainSample(
                prompt + one.token_ids,
                [False] * len(prompt) + [True] * len(one.token_ids),
                [0.0] * len(prompt) + one.logprobs,
                1.0 if index % 2 else -1.0,
            )
            for index, (prompt, one) in enumerate(zip(self.prompts, completions, strict=True))
        ]

    def mismatch(self, completions: list[Completion], temperature: float) -> float:
        """Mean |sampler − learner| over the sampled tokens, nats."""
        samples = self.train_samples(completions)
        rows = asyncio.run(self.learner.logprobs(samples, temperature))
        differences = [
            abs(own - other)
            for sample, row in zip(samples, rows, strict=True)
            for own, other, action in zip(sample.logprobs, row, sample.action_mask, strict=True)
            if action
        ]
        assert len(differences) > 100
        return sum(differences) / len(differences)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    config = parse(
        {
            "name": "parity",
            "run_dir": str(tmp_path_factory.mktemp("run")),
            "model": {"max_length": 256},
            "pool": {"max_sequences": 16, "kv_cache_gb": 0.2, "request_timeout_s": 180},
            "learner": {"micro_batch_tokens": 1024},
        },
        "the test",
    )
    model = resolve_model(config.model, Path(config.knowledge.cache))
    tokenizer = AutoTokenizer.from_pretrained(model)
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": f"Tell me about {topic} in two sentences."}],
            add_generation_prompt=True,
            return_dict=False,
        )
        for topic in TOPICS
    ]
    with placement.session(config):
        pool, learner = InferencePool(config, model), LearnerGroup(config, model)
        yield Running(config, model, pool, learner, prompts)
        learner.close()
        pool.close()


@pytest.mark.contract("2 sampler and learner", "SmolLM2 in the machine's type, temperatures 1.0 and 0.7: nats apart")
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_sampler_and_learner_agree(running: Running, temperature: float, record_property: Any) -> None:
    apart = running.mismatch(running.sample(temperature, f"t{temperature}"), temperature)
    record_property("figure", f"{apart:.2g} at {temperature}, {running.config.model.dtype}")
    assert apart < running.most_nats


def test_greedy_log_probs_are_the_models_own(running: Running) -> None:
    assert running.mismatch(running.sample(0.0, "greedy"), 1.0) < running.most_nats


def test_completions_end_at_the_turn_or_at_their_limit(running: Running) -> None:
    end = AutoTokenizer.from_pretrained(running.model).eos_token_id
    for one in running.sample(1.0, "ends", tokens=48):
        assert end not in one.token_ids[:-1]
        if one.finish_reason == "stop":
            assert one.token_ids[-1] == end
        else:
            assert len(one.token_ids) == 48
        assert len(one.logprobs) == len(one.token_ids)
        assert all(value <= 0.0 for value in one.logprobs)


def test_a_seed_is_enough_to_sample_the_same_again(running: Running) -> None:
    """One request at a time: the company of others, or a prefix not yet in the cache, moves bf16 logits by rounding."""

    def alone(seed: int) -> list[int]:
        sampling = Sampling(1.0, 16, seed=seed)
        request = running.pool.generate(running.prompts[0], sampling=sampling, request_id=f"alone-{seed}/0")
        return asyncio.run(request).token_ids

    alone(0)
    assert alone(1) == alone(1)
    assert len({tuple(alone(seed)) for seed in range(4)}) > 1


@pytest.mark.contract("11 security", "no socket beyond loopback")
def test_nothing_listens_beyond_this_machine(running: Running) -> None:
    """Ray's daemons, workers and engines, and the learner's process group among them."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    assert len(processes) > 5
    listening = [
        (process.name(), connection.laddr.ip.removeprefix("::ffff:"))  # IPv4, over a socket of IPv6
        for process in processes
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert [each for each in listening if not ip_address(each[1]).is_loopback] == []


def test_after_an_update_the_pool_is_the_new_policy(running: Running) -> None:
    before = running.sample(1.0, "before")
    assert {one.versions[0] for one in before} == {0}
    stats, _ = asyncio.run(running.learner.update(running.train_samples(before), "policy", 1e-4))
    assert stats["rollout_corr/logp_diff_mean"] < running.most_nats
    assert running.mismatch(before, 1.0) > MOVED_NATS  # the update moved the policy, as it should
    asyncio.run(running.pool.update_weights(asyncio.run(running.learner.export_weights(1))))
    after = running.sample(1.0, "after")
    assert {one.versions[0] for one in after} == {1}
    assert running.mismatch(after, 1.0) < running.most_nats
    running.pool.load(running.model, version=2)
    assert [one.token_ids for one in running.sample(0.0, "back", tokens=4)] == [
        one.token_ids for one in running.sample(0.0, "again", tokens=4)
    ]
    assert running.mismatch(running.sample(1.0, "base"), 1.0) > MOVED_NATS  # the learner stayed where it was


@pytest.mark.contract("6 staleness", "weights change under requests: every token knows its version")
def test_requests_go_on_under_new_weights_and_every_token_knows_its_own(running: Running) -> None:
    """The same requests, with the weights changed under them: tokens before the change are those of the old policy, as
    if there had been none; those after it have the log-probs of the new one."""
    running.sample(1.0, "first", tokens=96)
    begun = time.monotonic()
    old = running.sample(1.0, "undisturbed", tokens=96)
    took_s = time.monotonic() - begun
    [old_version] = {version for one in old for version in one.versions}
    asyncio.run(running.learner.update(running.train_samples(old), "policy", 1e-4))
    ref = asyncio.run(running.learner.export_weights(7))

    async def run() -> list[Completion]:
        calls = [
            asyncio.create_task(
                running.pool.generate(prompt, sampling=Sampling(1.0, 96, seed=i), request_id=f"swap-{i}/0")
            )
            for i, prompt in enumerate(running.prompts)
        ]
        await asyncio.sleep(0.4 * took_s)
        metrics = await running.pool.update_weights(ref)
        assert metrics["sync/bytes"] > 2e8 and metrics["sync/paused_s"] > 0
        return await asyncio.gather(*calls)

    new = asyncio.run(run())
    assert any(set(one.versions) == {old_version, 7} for one in new)
    rows = asyncio.run(running.learner.logprobs(running.train_samples(new), 1.0))
    after: list[float] = []
    for one, undisturbed, prompt, row in zip(new, old, running.prompts, rows, strict=True):
        assert len(one.token_ids) == len(one.versions) == len(one.logprobs) <= 96
        assert one.versions == sorted(one.versions)
        before = one.versions.count(old_version)
        assert one.token_ids[:before] == undisturbed.token_ids[:before]
        after += [abs(a - b) for a, b in zip(one.logprobs[before:], row[len(prompt) + before :], strict=True)]
    assert len(after) > 50 and sum(after) / len(after) < running.most_nats
    assert running.mismatch(old, 1.0) > MOVED_NATS  # so it does matter whose log-probs they are


@pytest.mark.contract("8 faults", "a learner past its deadline is named")
def test_a_learner_that_is_late_is_named(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = running.train_samples(running.sample(1.0, "late", tokens=40))
    monkeypatch.setattr(running.learner, "_timeout_s", 0.001)
    with pytest.raises(LearnerLost, match="learner-0 did not logprobs"):
        asyncio.run(running.learner.logprobs(samples))
