"""The inference pool: vLLM engines behind the one `generate` that the rest of the system knows.

waits for                          unblocked by
a request: the engine's gate       the end of a weight update
a weight update: no request runs   the last running request's completion
a caller: a completion             the engine, within pool.request_timeout_s
"""

import asyncio
import itertools
import os
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from actors import placement
from actors.weights import WeightsRef, pretrained_weights
from medrl.config import Config
from medrl.errors import InfrastructureError, Stalled
from medrl.types import Completion, Sampling

STICKY_EPISODES = 4096
"""Episodes whose engine a handle remembers."""

T = TypeVar("T")


@ray.remote(max_concurrency=4096)
class EngineActor:
    """One vLLM engine. Requests run together; a weight update waits until none runs, and holds new ones back."""

    def __init__(self, config: Config, model: Path) -> None:
        self._config = config
        self._model = model
        self._version = 0
        self._running = 0
        self._open = asyncio.Event()
        self._idle = asyncio.Event()

    async def start(self) -> None:
        """Load the model; returns when it can generate."""
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        self._engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**engine_arguments(self._config, self._model)))
        self._stop_ids = stop_token_ids(self._model)
        self._open.set()
        self._idle.set()

    async def generate(self, token_ids: list[int], sampling: Sampling, request_id: str) -> Completion:
        """One completion from the weights of one version."""
        await self._open.wait()
        self._running += 1
        self._idle.clear()
        try:
            return await self._complete(token_ids, sampling, request_id)
        finally:
            self._running -= 1
            if self._running == 0:
                self._idle.set()

    async def load_weights(self, ref: WeightsRef) -> None:
        """Let running requests end, hold new ones back, and go on with the weights of `ref`."""
        self._open.clear()
        try:
            while self._running:
                await self._idle.wait()
            await self._engine.collective_rpc("load_published_weights", args=(str(ref.path),))
            await self._engine.reset_prefix_cache()
            self._version = ref.version
        finally:
            self._open.set()

    def shutdown(self) -> None:
        """Stop the engine's own processes."""
        self._engine.shutdown()

    async def _complete(self, token_ids: list[int], sampling: Sampling, request_id: str) -> Completion:
        from vllm import SamplingParams
        from vllm.inputs import TokensPrompt
        from vllm.sampling_params import RequestOutputKind

        room = self._config.model.max_length - len(token_ids)
        if room < 1:
            raise ValueError(f"a prompt of {len(token_ids)} tokens leaves no room in model.max_length")
        parameters = SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=min(sampling.max_tokens, room),
            seed=sampling.seed,
            logprobs=0,
            stop_token_ids=self._stop_ids,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        final: Any = None
        async for output in self._engine.generate(TokensPrompt(prompt_token_ids=token_ids), parameters, request_id):
            final = output
        completion = final.outputs[0]
        if completion.finish_reason not in ("stop", "length"):
            raise InfrastructureError(f"the engine ended {request_id} with {completion.finish_reason!r}")
        chosen = list(completion.token_ids)
        logprobs = [step[token].logprob for token, step in zip(chosen, completion.logprobs, strict=True)]
        return Completion(chosen, logprobs, self._version, completion.finish_reason)


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


class InferencePool:
    """A handle on all engines: plain data, so it can be sent to rollout workers. Each copy balances its own requests.

    Requests of one episode (`<episode>/<turn>`) go to one engine, which holds their prefix.
    """

    def __init__(self, config: Config, model: Path) -> None:
        """Start the engines on the Hugging Face folder `model`. Raises Stalled after pool.start_timeout_s."""
        cores = placement.allowed_cores()
        self._names = [f"engine-{index}" for index in range(config.pool.engines)]
        self._timeout_s = config.pool.request_timeout_s
        self._update_timeout_s = config.pool.start_timeout_s
        self._engines: list[Any] = [
            EngineActor.options(**placement.engine_needs(config, index, cores).options).remote(config, model)
            for index in range(config.pool.engines)
        ]
        self._load = [0] * config.pool.engines
        self._sticky: OrderedDict[str, int] = OrderedDict()
        self._attempts = itertools.count()
        self._wait([engine.start.remote() for engine in self._engines], config.pool.start_timeout_s, "start")

    def __getstate__(self) -> dict[str, Any]:
        fresh = {"_load": [0] * len(self._engines), "_sticky": OrderedDict(), "_attempts": itertools.count()}
        return self.__dict__ | fresh

    async def generate(self, token_ids: list[int], *, sampling: Sampling, request_id: str) -> Completion:
        """`medrl.types.Generate`. Raises Stalled after its deadline, InfrastructureError if the engine dies."""
        index = self._route(request_id)
        self._load[index] += 1
        unique_id = f"{request_id}#{os.getpid()}-{next(self._attempts)}"
        reference = self._engines[index].generate.remote(token_ids, sampling, unique_id)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(reference.future()), self._timeout_s)
        except TimeoutError as error:
            ray.cancel(reference)
            raise Stalled(f"{self._names[index]} did not complete {request_id} in {self._timeout_s:.0f} s") from error
        except (RayActorError, RayTaskError) as error:
            raise _as_infrastructure(error, self._names[index]) from error
        finally:
            self._load[index] -= 1

    def update_weights(self, ref: WeightsRef) -> None:
        """Swap the weights of every engine; requests that run finish first, later ones see the new version."""
        self._wait(
            [engine.load_weights.remote(ref) for engine in self._engines], self._update_timeout_s, "load weights"
        )

    def load(self, model: Path, version: int = 0) -> None:
        """Take the weights of a Hugging Face folder of the same architecture."""
        self.update_weights(pretrained_weights(model, version))

    def close(self) -> None:
        """Stop the engines and their processes."""
        for engine in self._engines:
            with suppress(RayActorError, RayTaskError, GetTimeoutError):  # it is killed next
                ray.get(engine.shutdown.remote(), timeout=30)
            ray.kill(engine)

    def _route(self, request_id: str) -> int:
        episode, _, _ = request_id.rpartition("/")
        index = self._sticky.pop(episode, None) if episode else None
        if index is None:
            index = self._load.index(min(self._load))
        if episode:
            self._sticky[episode] = index
            while len(self._sticky) > STICKY_EPISODES:
                self._sticky.popitem(last=False)
        return index

    def _wait(self, references: list[Any], timeout_s: float, what: str) -> None:
        """Until all are done. Raises Stalled naming the engines that are not."""
        _, late = ray.wait(references, num_returns=len(references), timeout=timeout_s)
        if late:
            names = ", ".join(self._names[references.index(reference)] for reference in late)
            raise Stalled(f"{names} did not {what} in {timeout_s:.0f} s")
        for name, reference in zip(self._names, references, strict=True):
            try:
                ray.get(reference)
            except (RayActorError, RayTaskError) as error:
                raise _as_infrastructure(error, name) from error


def _as_infrastructure(error: Exception, name: str) -> Exception:
    """A mistake of ours stays what it is; everything else under an engine is an outage."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, (ValueError, TypeError, InfrastructureError)):
        return cause
    return InfrastructureError(f"{name}: {str(error).strip().splitlines()[-1]}")
