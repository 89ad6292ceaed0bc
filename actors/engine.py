"""One vLLM engine in an actor of its own: requests run together, and new weights come in under them.

waits for                              unblocked by
a request: the gate                    the end of a weight update; of an engine started again, its first one
a weight update: other updates         their end
a caller: a completion                 the engine, within pool.request_timeout_s

An update loses no request, and every token carries the version that sampled it. By `pool.on_update`:

recompute   running requests are cut short and go on from the tokens they have: their cache is computed again
keep        they are held still meanwhile and go on with the cache they have, of keys and values of older weights

A request begun after an update never meets a cache from before it.
"""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray

from actors.broadcast import Broadcast, transport
from actors.meter import Meter, Reading
from actors.weights import SHARED_MEMORY, WeightsRef, receive, verify
from medrl.config import Config
from medrl.errors import InfrastructureError
from medrl.seeds import derive_seed
from medrl.types import Completion, Sampling


@dataclass(frozen=True, slots=True)
class Pulse:
    """An engine's sign of life. `armed`: it has weights of the pool's choosing and answers. `serial`: of its last
    update, `version` that of their policy. `silent_s`: seconds since a request last ended, 0 while none runs. `work`:
    its requests. `tokens`: sampled since it began, those of requests that have ended."""

    node: str
    process: int
    armed: bool
    serial: int
    silent_s: float
    version: int = 0
    work: Reading = field(default_factory=Reading)
    tokens: int = 0


@ray.remote(max_restarts=-1, max_concurrency=10_000)
class EngineActor:
    """An engine. Ray starts a dead one again; it answers nobody until the pool has started and armed it."""

    def __init__(self, config: Config, model: Path) -> None:
        self._config = config
        self._model = model
        self._node: str = ray.get_runtime_context().get_node_id()
        self._engine: Any = None
        self._serial = -1  # of the last update
        self._version = 0
        self._work = Meter()
        self._tokens = 0
        self._last_end = time.monotonic()
        self._met = ""  # where it meets the learner for broadcasts
        self._armed = asyncio.Event()
        self._first_life = not ray.get_runtime_context().was_current_actor_reconstructed
        self._updating = asyncio.Lock()
        self._submitting = asyncio.Lock()

    async def start(self) -> Pulse:
        """Load the model; returns when it could generate."""
        if self._engine is not None:
            return await self.ping()
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        self._engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**engine_arguments(self._config, self._model)))
        self._stop_ids = stop_token_ids(self._model)
        await self._engine.collective_rpc("end_with_actor", args=(os.getpid(),))
        await self._engine.update_weight_version("0")
        if self._first_life:  # nobody has asked for other weights yet
            self._serial = 0
            self._armed.set()
        return await self.ping()

    async def ping(self) -> Pulse:
        """How it stands. An engine whose own process died ends this actor, for Ray to start it again."""
        if self._engine is not None and self._engine.errored:
            os._exit(1)
        waiting = self._work.under_way and not self._updating.locked()  # during an update none can end
        silent_s = time.monotonic() - self._last_end if waiting else 0.0
        standing = (self._node, os.getpid(), self._armed.is_set(), self._serial, silent_s, self._version)
        return Pulse(*standing, self._work.reading(), self._tokens)

    async def generate(self, token_ids: list[int], sampling: Sampling, request_id: str) -> Completion:
        """One completion; its tokens may be of several versions, one after the other."""
        room = min(sampling.max_tokens, self._config.model.max_length - len(token_ids))
        if room < 1:
            raise ValueError(f"a prompt of {len(token_ids)} tokens leaves no room in model.max_length")
        done = Completion([], [], [], "length")
        if not self._work.under_way:
            self._last_end = time.monotonic()
        self._work.add(1)
        try:
            while (left := room - len(done.token_ids)) > 0:
                begun = len(done.token_ids)
                seed = sampling.seed if not begun or sampling.seed is None else derive_seed(sampling.seed, begun)
                part, reason = await self._part(
                    [*token_ids, *done.token_ids],
                    replace(sampling, max_tokens=left, seed=seed),
                    f"{request_id}+{begun}-{self._serial}",
                )
                done = Completion(
                    done.token_ids + part.token_ids,
                    done.logprobs + part.logprobs,
                    done.versions + part.versions,
                    part.finish_reason,
                )
                self._tokens += len(part.token_ids)
                if reason != "abort":
                    break
            return done
        finally:
            self._work.add(-1)
            self._last_end = time.monotonic()

    async def load_weights(self, ref: WeightsRef, serial: int, objects: list[Any]) -> float:
        """Go on with the weights of `ref`, the `serial`-th update of this pool; a later one makes it void.

        `objects`: Ray objects with the files, for engines on other nodes. Everything is checked before generation is
        paused. Returns the seconds it was paused; 0 too for an engine that was started again and waits for `start`.
        """
        async with self._updating:
            if self._engine is None or serial <= self._serial:
                return 0.0
            with tempfile.TemporaryDirectory(
                prefix=f"medrl-engine-{os.getpid()}-", dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
            ) as folder:
                if ref.node not in ("", self._node):
                    ref = await receive(ref, objects, Path(folder))
                await asyncio.to_thread(verify, ref)
                begun = time.monotonic()
                async with self._paused(ref.version, serial):
                    await self._engine.collective_rpc(
                        "load_published_weights", args=([str(file) for file in ref.paths],)
                    )
                return time.monotonic() - begun

    async def receive_weights(self, broadcast: Broadcast, offset: int, serial: int, version: int) -> float:
        """Go on with what the learner sends to `broadcast`, the `serial`-th update of this pool.

        `offset`: rank of this engine's first worker. Returns the seconds that generation was paused.
        """
        from vllm.distributed.weight_transfer.base import WeightTransferInitRequest, WeightTransferUpdateRequest

        async with self._updating:
            begun = time.monotonic()  # joining holds the engine too
            if self._met != broadcast.address:
                await self._engine.shutdown_weight_transfer_engine()
                await self._engine.init_weight_transfer_engine(WeightTransferInitRequest(broadcast.join(offset)))
                self._met = broadcast.address
            async with self._paused(version, serial):
                await self._engine.start_weight_update()
                await self._engine.update_weights(WeightTransferUpdateRequest(broadcast.contents()))
                await self._engine.finish_weight_update()
                await self._engine.collective_rpc("tie_head_again")
            return time.monotonic() - begun

    @asynccontextmanager
    async def _paused(self, version: int, serial: int) -> AsyncIterator[None]:
        """Weights may change in the block; what is sampled after it is of `version`. Stays paused if that fails."""
        async with self._submitting:  # a request is either cut short or not yet submitted
            keep = self._config.pool.on_update == "keep"
            await self._engine.pause_generation(mode="keep" if keep else "abort", clear_cache=not keep)
            yield
            await self._engine.update_weight_version(str(version))
            self._serial, self._version = serial, version
            await self._engine.resume_generation()
            self._last_end = time.monotonic()
            self._armed.set()

    def shutdown(self) -> None:
        """Stop the engine's own processes."""
        if self._engine is not None:
            self._engine.shutdown()

    async def _part(self, token_ids: list[int], sampling: Sampling, request_id: str) -> tuple[Completion, str]:
        """Tokens up to the end of the request, or to where an update cut it short ("abort")."""
        from vllm import SamplingParams
        from vllm.inputs import TokensPrompt
        from vllm.sampling_params import RequestOutputKind

        await self._armed.wait()
        parameters = SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            seed=sampling.seed,
            logprobs=0,
            stop_token_ids=self._stop_ids,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        async with self._submitting:
            prompt = TokensPrompt(prompt_token_ids=token_ids, cache_salt=str(self._serial))
            outputs = await self._engine.add_request(request_id, prompt, parameters)
        try:
            final = await outputs.get()
        except asyncio.CancelledError:
            await self._engine.abort(outputs.request_id, internal=True)
            raise
        sampled = final.outputs[0]
        if sampled.finish_reason not in ("stop", "length", "abort"):
            raise InfrastructureError(f"the engine ended {request_id} with {sampled.finish_reason!r}")
        chosen = list(sampled.token_ids)
        logprobs = [step[token].logprob for token, step in zip(chosen, sampled.logprobs or [], strict=True)]
        versions = [int(span.version) for span in sampled.weight_versions for _ in range(span.start, span.end)]
        reason = "stop" if sampled.finish_reason == "stop" else "length"
        return Completion(chosen, logprobs, versions, reason), sampled.finish_reason


@ray.remote(num_cpus=0)
def kill_engine(process: int) -> None:
    """Kill an engine's process on this node. `ray.kill` asks it to end itself, which one that is stopped does not."""
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
        if Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"ray::EngineActor"):
            os.kill(process, signal.SIGKILL)


def engine_arguments(config: Config, model: Path) -> dict[str, Any]:
    """vLLM's engine arguments, as a pure function of ours.

    Log-probs are those of the distribution that is sampled from (temperature and top-p applied); at temperature 0 they
    are the model's own.
    """
    arguments: dict[str, Any] = {
        "model": str(model),
        "dtype": config.model.dtype,
        "seed": config.seed,
        "max_model_len": config.model.max_length,
        "max_num_seqs": config.pool.max_sequences,
        "enforce_eager": config.pool.enforce_eager,
        "enable_prefix_caching": True,
        "logprobs_mode": "processed_logprobs",
        "max_logprobs": 1,
        "worker_extension_cls": "actors.weights.WeightLoader",
        "trust_remote_code": False,
        "generation_config": "vllm",
        "enable_log_requests": False,
        "disable_log_stats": True,
    }
    if config.pool.weight_transfer == "broadcast":
        arguments |= {"weight_transfer_config": {"backend": transport(config)}}
        if transport(config) == "gloo":
            arguments |= {"worker_extension_cls": "actors.gloo_transfer.GlooWeightLoader"}
    if config.device == "cuda":
        return arguments | {
            "tensor_parallel_size": config.pool.tensor_parallel,
            "gpu_memory_utilization": config.pool.gpu_memory_utilization,
        }
    # vLLM cannot rewind a seeded CPU generator after a partial prefill, so a prompt is prefilled whole. One process
    # does both scheduling and computing ("uni"): with two, the scheduler's busy wait takes a core from the other.
    # Uncompiled, its own kernels ("all") do in one pass what torch does in several.
    return arguments | {
        "kv_cache_memory_bytes": int(config.pool.kv_cache_gb * 2**30),
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(2048, config.model.max_length),
        "distributed_executor_backend": "uni",
        "compilation_config": {"custom_ops": ["all"]} if config.pool.enforce_eager else {},
        "block_size": 32,  # an episode's next turn computes its last partial block again; vLLM's default here is 128
    }


def stop_token_ids(model: Path) -> list[int]:
    """Ids that end a turn: the tokenizer's EOS and those of the model's generation config."""
    from transformers import AutoTokenizer, GenerationConfig

    ids = {AutoTokenizer.from_pretrained(model).eos_token_id}
    if (model / "generation_config.json").exists():
        eos = GenerationConfig.from_pretrained(model).eos_token_id
        ids |= set(eos) if isinstance(eos, list) else {eos}
    return sorted(ids - {None})
