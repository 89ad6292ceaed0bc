"""The parts of the pool that need no engine; `test_parity.py` runs the real one."""

import asyncio
import pickle
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import RayActorError, RayTaskError

from actors import pool as pool_module
from actors.broadcast import Broadcast, TensorHeader
from actors.engine import Pulse, engine_arguments, stop_token_ids
from actors.pool import InferencePool, Update
from actors.weights import WeightsRef
from medrl.config import parse
from medrl.deadlines import within
from medrl.errors import InfrastructureError, LearnerLost, Stalled
from medrl.types import Completion, Sampling

ANSWER = Completion([1], [-0.5], [0], "stop")


class Call:
    """A remote call's reference: its future, and whether it was cancelled."""

    def __init__(self, result: Any = None) -> None:
        self._future: Future[Any] = Future()
        if isinstance(result, Exception):
            self._future.set_exception(result)
        elif result is not None:
            self._future.set_result(result)

    def future(self) -> "Future[Any]":
        return self._future


class Method:
    def __init__(self, result: Any) -> None:
        self.result = result
        self.requests: list[str] = []

    def remote(self, token_ids: list[int], sampling: Sampling, request_id: str) -> Call:
        self.requests.append(request_id)
        return Call(self.result)


class Engine:
    def __init__(self, result: Any = ANSWER) -> None:
        self.generate = Method(result)


def pool_of(*engines: Engine, timeout_s: float = 5.0) -> InferencePool:
    """A pool around engines that are not there."""
    pool = object.__new__(InferencePool)
    pool._names = [f"engine-{index}" for index in range(len(engines))]
    pool._timeout_s = timeout_s
    pool._engines = list(engines)
    pool._forget_requests()
    return pool


def generate(pool: InferencePool, *request_ids: str) -> list[Completion]:
    async def run() -> list[Completion]:
        calls = (pool.generate([1, 2], sampling=Sampling(1.0, 4), request_id=request) for request in request_ids)
        return list(await asyncio.gather(*calls))

    return asyncio.run(run())


def test_turns_of_an_episode_go_to_one_engine_and_episodes_spread() -> None:
    engines = [Engine(), Engine()]
    pool = pool_of(*engines)
    for turn in range(3):
        generate(pool, *(f"episode-{number}/{turn}" for number in range(6)))
    homes: dict[str, set[int]] = {}
    for index, engine in enumerate(engines):
        assert len(engine.generate.requests) == 9
        for request in engine.generate.requests:
            homes.setdefault(request.split("/")[0], set()).add(index)
    assert all(len(home) == 1 for home in homes.values())


def test_request_ids_are_never_used_twice() -> None:
    engine = Engine()
    generate(pool_of(engine), "a/0", "a/0", "a/0")
    assert len(set(engine.generate.requests)) == 3


@pytest.mark.contract("8 faults", "a silent engine is named after the deadline")
def test_a_silent_engine_is_named_after_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled = []
    monkeypatch.setattr(pool_module.ray, "cancel", cancelled.append)
    with pytest.raises(Stalled, match="engine-0 did not complete a/0"):
        generate(pool_of(Engine(result=None), timeout_s=0.05), "a/0")
    assert len(cancelled) == 1


@pytest.mark.contract("8 faults", "a request whose engine dies is made again elsewhere")
def test_a_request_whose_engine_dies_is_made_again_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "RETRY_AFTER_S", 0.01)
    engines = [Engine(RayActorError()), Engine()]
    pool = pool_of(*engines)
    assert generate(pool, "a/0") == [ANSWER]
    assert generate(pool, "a/1") == [ANSWER]
    assert [len(engine.generate.requests) for engine in engines] == [1, 2]  # the episode has moved


def test_with_no_engine_left_the_deadline_names_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "RETRY_AFTER_S", 0.01)
    pool = pool_of(Engine(RayActorError()), timeout_s=1.0)
    with pytest.raises(Stalled, match="engine-0 did not complete a/0 in 1 s; it failed"):
        generate(pool, "a/0")
    assert pool._load == [0]


class Revived:
    """An engine that died and was started again; `loads`: what its loads of weights come to."""

    class Calls:
        def __init__(self, *results: Any) -> None:
            self.results = list(results)

        async def remote(self, *_: Any) -> Any:
            result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
            if isinstance(result, Exception):
                raise result
            return result

    def __init__(self, *loads: Any) -> None:
        self.ping = self.Calls(*(Pulse("node", 1, armed, 1, 0.0) for armed in (False, False, True)))
        self.start = self.Calls(None)
        self.load_weights = self.Calls(*loads)


def watched(engine: Revived, monkeypatch: pytest.MonkeyPatch, start_timeout_s: float) -> None:
    """Watch it until its watch fails or, armed, is left alone for a while."""
    monkeypatch.setattr(pool_module, "PING_EVERY_S", 0.01)
    pool = pool_of()
    pool._names, pool._engines, pool._pulses = ["engine-0"], [engine], [Pulse("", 0, False, 0, 0.0)]
    pool._start_timeout_s, pool._stuck_after_s = start_timeout_s, 5.0
    pool._update = Update(WeightsRef(Path("v3"), 3, 1), 1)

    async def run() -> None:
        with suppress(TimeoutError):
            await within(0.5, pool._tend(0))

    asyncio.run(run())


GONE = RayTaskError("load_weights", "", InfrastructureError("version 3: 00000.safetensors: No such file"))


def test_weights_that_went_with_their_learner_do_not_end_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Revived(GONE, 0.1)
    watched(engine, monkeypatch, start_timeout_s=5.0)
    assert engine.load_weights.results == [0.1] and len(engine.ping.results) == 1


def test_an_update_that_did_not_reach_an_engine_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Revived(0.2, 0.1)
    engine.ping.results = [Pulse("node", 1, True, serial, 0.0) for serial in (0, 1)]
    watched(engine, monkeypatch, start_timeout_s=5.0)
    assert engine.load_weights.results == [0.1]


def test_an_engine_that_never_gets_weights_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Revived(GONE)
    engine.ping.results = engine.ping.results[:1]
    with pytest.raises(InfrastructureError, match="engine-0 has been dead for 0 s: version 3: 00000.safetensors: No"):
        watched(engine, monkeypatch, start_timeout_s=0.05)


def test_an_engine_that_cannot_be_started_ends_the_watch_with_its_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "PING_EVERY_S", 0.01)
    pool = follower(Armed(), Armed())
    pool._engines[1] = Revived(GONE)
    pool._engines[1].ping.results = pool._engines[1].ping.results[:1]
    pool._start_timeout_s = 0.05
    with pytest.raises(InfrastructureError, match="engine-1 has been dead"):
        asyncio.run(pool.watch())


class Armed:
    """An engine that is up; `receives`: what its part in a broadcast comes to."""

    def __init__(self, receives: Exception | None = None, answers: bool = True) -> None:
        self.serials: list[int] = []
        self.ping, self.load_weights, self.receive_weights = (
            Remote(self._ping),
            Remote(self._load),
            Remote(self._receive),
        )
        self._receives, self._answers = receives, answers

    async def _ping(self) -> Pulse:
        if not self._answers:
            raise RayActorError
        return Pulse("node", id(self), True, max(self.serials, default=0), 0.0)

    async def _load(self, ref: WeightsRef, serial: int, objects: list[Any]) -> float:
        if serial > max(self.serials, default=0):
            self.serials.append(serial)
        return 0.0

    async def _receive(self, broadcast: Broadcast, offset: int, serial: int, version: int) -> float:
        if self._receives:
            raise self._receives
        self.serials.append(serial)
        return 0.1


class Remote:
    def __init__(self, remote: Callable[..., Awaitable[Any]]) -> None:
        self.remote = remote


class Learner:
    """A learner whose broadcast and export may fail."""

    def __init__(self, broadcast: Exception | None = None, export: Exception | None = None) -> None:
        self.failures = {"broadcast": broadcast, "export": export}

    async def free_address(self) -> str:
        return "127.0.0.1:1"

    async def weight_headers(self) -> tuple[TensorHeader, ...]:
        return (TensorHeader("w", "float32", (2, 3)),)

    async def broadcast(self, _: Broadcast) -> None:
        self._may_fail("broadcast")

    async def export_weights(self, version: int) -> WeightsRef:
        self._may_fail("export")
        return WeightsRef(Path(f"v{version}"), version, 24)

    def _may_fail(self, what: str) -> None:
        if error := self.failures[what]:
            raise error


def follower(*engines: Armed) -> InferencePool:
    pool = pool_of(*engines)  # type: ignore[arg-type]
    pool._pulses = [Pulse("node", id(engine), True, 0, 0.0) for engine in engines]
    pool._update, pool._serial = Update(WeightsRef(Path("v0"), 0, 24), 0), 0
    pool._broadcasts, pool._workers = True, 1
    pool._start_timeout_s, pool._stuck_after_s = 5.0, 5.0
    return pool


def test_who_missed_a_broadcast_has_its_weights_before_the_next_questions_are_asked() -> None:
    up, slow = Armed(), Armed(answers=False)
    pool = follower(up, slow)
    metrics = asyncio.run(pool.follow(Learner(), 1))  # type: ignore[arg-type]
    assert up.serials == slow.serials == [1] and pool._update.ref.version == 1
    assert metrics["sync/bytes"] == 24 and metrics["sync/paused_s"] == 0.1


def test_what_was_broadcast_before_the_learner_was_lost_gives_way_to_the_checkpoint() -> None:
    engine = Armed()
    pool = follower(engine)
    with pytest.raises(LearnerLost):
        asyncio.run(pool.follow(Learner(export=LearnerLost("learner-0 died")), 5))  # type: ignore[arg-type]
    asyncio.run(pool.update_weights(WeightsRef(Path("v4"), 4, 24)))
    assert engine.serials == [1, 2]  # each serial once, so the engine did not take the second for the first


def test_a_broadcast_that_fails_is_a_lost_learner_and_its_engine_is_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(InferencePool, "_kill", lambda self, index, why: killed.append(index))
    pool = follower(Armed(RuntimeError("closed by peer")), Armed())
    with pytest.raises(LearnerLost, match="a broadcast of weights failed: closed by peer"):
        asyncio.run(pool.follow(Learner(broadcast=RuntimeError("closed by peer")), 1))  # type: ignore[arg-type]
    assert killed == [0]


def test_no_request_goes_to_an_engine_that_is_being_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "RETRY_AFTER_S", 0.01)

    async def run() -> list[int]:
        dead, alive = Engine(RayActorError()), Engine()
        dead.ping = Revived.Calls(*(Pulse("node", 1, armed, 1, 0.0) for armed in (False, False, True)))  # type: ignore[attr-defined]
        pool = pool_of(dead, alive)
        await pool.generate([1], sampling=Sampling(1.0, 4), request_id="a/0")
        while pool._down:
            await pool.generate([1], sampling=Sampling(1.0, 4), request_id="b/0")
            await asyncio.sleep(0.001)
        dead.generate.result = ANSWER
        pool._load[1] = 1  # busier than the one that is back
        await pool.generate([1], sampling=Sampling(1.0, 4), request_id="c/0")
        return [len(dead.generate.requests), len(dead.ping.results)]  # type: ignore[attr-defined]

    assert asyncio.run(run()) == [2, 1]


def test_the_memory_of_episodes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "STICKY_EPISODES", 3)
    pool = pool_of(Engine())
    generate(pool, *(f"{number}/0" for number in range(10)))
    assert list(pool._sticky) == ["7", "8", "9"]


def test_a_copy_starts_with_no_requests_of_its_own() -> None:
    pool = pool_of()
    pool._load = [3]
    pool._sticky = OrderedDict(a=0)
    copy = pickle.loads(pickle.dumps(pool))  # noqa: S301  (what Ray does with it)
    assert copy._load == [] and not copy._sticky and not copy._down


def test_log_probs_are_asked_for_at_the_sampling_temperature() -> None:
    arguments = engine_arguments(parse({"name": "t"}, "test"), Path("m"))
    assert arguments["logprobs_mode"] == "processed_logprobs"
    assert arguments["trust_remote_code"] is False
    assert arguments["enable_chunked_prefill"] is False
    assert arguments["max_num_batched_tokens"] >= arguments["max_model_len"]


def test_on_gpu_memory_is_a_share_and_the_model_may_be_split() -> None:
    config = parse(
        {"name": "t", "device": "cuda", "pool": {"tensor_parallel": 4, "gpu_memory_utilization": 0.5}}, "test"
    )
    arguments = engine_arguments(config, Path("m"))
    assert (arguments["tensor_parallel_size"], arguments["gpu_memory_utilization"]) == (4, 0.5)
    assert "kv_cache_memory_bytes" not in arguments


def test_engine_arguments_are_ones_that_vllm_knows() -> None:
    known = pytest.importorskip("vllm.engine.arg_utils").AsyncEngineArgs.__dataclass_fields__
    for device in ("cpu", "cuda"):
        assert set(engine_arguments(parse({"name": "t", "device": device}, "test"), Path("m"))) <= set(known)


def test_turns_stop_at_the_tokenizers_end_of_turn(tiny_folder: Path) -> None:
    from transformers import AutoTokenizer

    assert AutoTokenizer.from_pretrained(tiny_folder).convert_tokens_to_ids("<|im_end|>") in stop_token_ids(tiny_folder)
