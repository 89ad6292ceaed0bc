"""Two real engines on a tiny model: what is left of requests and weights when one dies or hangs."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch
from ray.exceptions import RayActorError
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from actors import placement
from actors.pool import InferencePool
from actors.weights import WeightsRef, publish
from medrl.config import parse
from medrl.deadlines import within
from medrl.types import Completion, Sampling
from tests.killing import title_of
from tests.tiny import save_tiny

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROMPT = [1, 2, 3]


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InferencePool]:
    folder = tmp_path_factory.mktemp("engines")
    values = {
        "name": "engines",
        "run_dir": str(folder / "run"),
        "model": {"dtype": "float32", "max_length": 512},
        "pool": {"engines": 2, "kv_cache_gb": 0.1, "max_sequences": 8, "start_timeout_s": 150, "stuck_after_s": 8},
    }
    config = parse(values, "the test")
    with placement.session(config):
        pool = InferencePool(config, save_tiny(folder / "model"))
        yield pool
        pool.close()


def weights(folder: Path, version: int, node: str = "") -> tuple[WeightsRef, LlamaForCausalLM]:
    """A random model published as `version`, and the model itself."""
    source = save_tiny(folder / f"model-{version}", seed=version)
    ref = publish(load_file(source / "model.safetensors").items(), version, folder / "published", node=node)
    return ref, LlamaForCausalLM.from_pretrained(source, dtype=torch.float32)


def processes(title: str) -> list[psutil.Process]:
    found = [each for each in psutil.Process().children(recursive=True) if title_of(each).startswith(title)]
    return sorted(found, key=lambda each: each.pid)


async def requests(pool: InferencePool, name: str, count: int = 12, tokens: int = 300) -> list[Completion]:
    calls = (
        pool.generate(PROMPT, sampling=Sampling(1.0, tokens, seed=number), request_id=f"{name}-{number}/0")
        for number in range(count)
    )
    return list(await asyncio.gather(*calls))


async def keep_busy(pool: InferencePool, name: str, until: asyncio.Event) -> list[Completion]:
    """Twelve lanes of one request after the other, the last of each begun after `until`; all answers."""

    async def lane(number: int) -> list[Completion]:
        done: list[Completion] = []
        while not until.is_set():
            done += await requests(pool, f"{name}-{number}-{len(done)}", 1)
        return [*done, *await requests(pool, f"{name}-{number}-last", 1)]

    return [one for each in await asyncio.gather(*map(lane, range(12))) for one in each]


async def all_armed(pool: InferencePool) -> bool:
    try:
        pulses = await asyncio.gather(*(within(5, engine.ping.remote()) for engine in pool._engines))
    except (RayActorError, TimeoutError):
        return False
    return all(pulse.armed for pulse in pulses)


def through(
    pool: InferencePool, name: str, harm: Callable[[], Awaitable[None]]
) -> tuple[list[Completion], list[Completion]]:
    """Requests that run while `harm` is done, and some when both engines are back; the watch is on."""

    async def run() -> tuple[list[Completion], list[Completion]]:
        async with asyncio.timeout(200):
            watch = asyncio.create_task(pool.watch())
            harmed = asyncio.Event()
            running = asyncio.create_task(keep_busy(pool, name, harmed))
            await asyncio.sleep(0.3)
            await harm()
            harmed.set()
            during = await running
            while not await all_armed(pool):
                assert not watch.done()
                await asyncio.sleep(0.5)
            later = await requests(pool, f"{name}-later", tokens=20)
            assert not watch.done()
            watch.cancel()
            return during, later

    during, later = asyncio.run(run())
    assert len(during) >= 24 and all(one.token_ids for one in (*during, *later))
    return during, later


def check_policy(done: list[Completion], policies: dict[int, LlamaForCausalLM]) -> None:
    """The log-prob of every token is that of the version it claims."""
    for one in done:
        ids = torch.tensor([PROMPT + one.token_ids])
        for version, model in policies.items():
            with torch.inference_mode():
                rows = model(ids).logits[0, len(PROMPT) - 1 : -1].log_softmax(-1)
            for token, logprob, own, row in zip(one.token_ids, one.logprobs, one.versions, rows, strict=True):
                assert own in policies
                assert own != version or abs(row[token].item() - logprob) < 1e-3


@pytest.mark.contract("8 faults", "engine SIGKILLed under requests, weights changed meanwhile: none lost, none stale")
def test_an_engine_killed_under_requests_comes_back_with_the_weights_of_the_moment(
    pool: InferencePool, tmp_path: Path
) -> None:
    first, one = weights(tmp_path / "a", 1)
    asyncio.run(pool.update_weights(first))
    second, two = weights(tmp_path / "b", 2)

    async def harm() -> None:
        os.kill(processes("ray::EngineActor")[0].pid, signal.SIGKILL)
        await pool.update_weights(second)

    during, later = through(pool, "killed", harm)
    check_policy([*during, *later], {1: one, 2: two})
    assert {version for each in later for version in each.versions} == {2}
    assert len(processes("VLLM::EngineCore")) == 2  # the dead engine's own process went with it


@pytest.mark.contract("8 faults", "engine's actor or process SIGSTOPped: noticed and started again")
@pytest.mark.parametrize("title", ["ray::EngineActor", "VLLM::EngineCore"])
def test_a_stopped_engine_is_noticed_and_started_again(pool: InferencePool, tmp_path: Path, title: str) -> None:
    ref, model = weights(tmp_path, 3)
    asyncio.run(pool.update_weights(ref))
    stopped = []

    async def harm() -> None:
        stopped.append(processes(title)[0])
        stopped[0].send_signal(signal.SIGSTOP)

    during, later = through(pool, f"stopped-{title}", harm)
    check_policy([*during, *later], {3: model})
    assert stopped[0].pid not in [each.pid for each in processes(title)]
