"""What a run needs, by arithmetic alone: memory by part, bytes on disk. Bytes are bytes; a GB is 1e9 of them."""

import json
import math
import struct
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actors.seats import Node, kind
from medrl.config import Config
from medrl.errors import ConfigError

BYTES = {"bfloat16": 2, "float32": 4}
RUNTIME_LEARNER = 1.2e9  # a process with torch, transformers and DeepSpeed imported and warm
RUNTIME_ENGINE = 1.9e9  # vLLM: the actor and its engine process
RUNTIME_WORKER = 0.8e9  # tools and their indexes
RUNTIME_GPU = 4.0e9  # on a learner's GPU: CUDA context, NCCL buffers, fragmentation; an estimate
RUNTIME_ENGINE_GPU = 3.0e9  # on an engine's GPU, within its share: activations, CUDA graphs, NCCL; an estimate
RUNTIME_RAY = 1.0e9  # Ray's own processes, and the controller
_BYTES_PER_EPISODE_TOKEN = 45  # in trajectories/*.jsonl: id, mask, log-prob, version, and its text
_BYTES_PER_LEARNT_TOKEN = 8  # in trajectories/*.tokens.jsonl: the learner's log-prob


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes of a decoder-only transformer with gated MLP and grouped-query attention."""

    parameters: int
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    context: int


def read_shape(folder: Path) -> ModelShape:
    """From config.json and the headers of *.safetensors; no weights are read, and without any their number is counted
    from the shape. Raises ConfigError, one line."""
    try:
        parameters = sum(_parameters(file) for file in folder.glob("*.safetensors"))
        return shape_of(read_config(folder), parameters or None)
    except KeyError as error:
        raise ConfigError(
            f"{folder / 'config.json'}: {error.args[0]} is missing; a decoder-only language model has it"
        ) from error


def shape_of(values: Mapping[str, Any], parameters: int | None = None) -> ModelShape:
    """From the values of a config.json. `parameters`: their number; None: counted, for a model with gated MLP, RMS
    norms and, in Qwen2, biases of queries, keys and values. Raises KeyError."""
    heads, hidden = values["num_attention_heads"], values["hidden_size"]
    shape = ModelShape(
        parameters=parameters or 0,
        layers=values["num_hidden_layers"],
        hidden=hidden,
        intermediate=values["intermediate_size"],
        heads=heads,
        kv_heads=values.get("num_key_value_heads") or heads,
        head_dim=values.get("head_dim") or hidden // heads,
        vocab=values["vocab_size"],
        context=values["max_position_embeddings"],
    )
    if parameters is not None:
        return shape
    own, shared = shape.heads * shape.head_dim, 2 * shape.kv_heads * shape.head_dim
    attention = (2 * own + shared) * hidden + (own + shared if values.get("model_type") == "qwen2" else 0)
    layer = attention + 3 * hidden * shape.intermediate + 2 * hidden
    embeddings = shape.vocab * hidden * (1 if values.get("tie_word_embeddings") else 2)
    return replace(shape, parameters=embeddings + shape.layers * layer + hidden)


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a Hugging Face folder. Raises ConfigError, one line."""
    path = folder / "config.json"
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON: {error}") from error
    return values


def _parameters(file: Path) -> int:
    # The format: 8 bytes little-endian length, then that much JSON, {name: {"dtype", "shape", "data_offsets"}}.
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            header = json.loads(opened.read(length))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except (struct.error, ValueError) as error:
        raise ConfigError(f"{file}: not a whole safetensors file; save the model again") from error
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")


@dataclass(frozen=True, slots=True)
class LearnerMemory:
    """Bytes on one learner rank."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    reference: float
    """The frozen copy of `grpo.kl`."""

    @property
    def total(self) -> float:
        return sum((self.weights, self.gradients, self.optimizer, self.activations, self.logits, self.reference))


def trained_parameters(config: Config, shape: ModelShape) -> int:
    """All of the model's, or those of adapters on every linear layer of attention and MLP (`learner.lora_rank`)."""
    if not config.learner.lora_rank:
        return shape.parameters
    own, shared = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    attention = 2 * (shape.hidden + own) + 2 * (shape.hidden + shared)
    return shape.layers * config.learner.lora_rank * (attention + 3 * (shape.hidden + shape.intermediate))


def learner_memory(config: Config, shape: ModelShape) -> LearnerMemory:
    """One rank under ZeRO (arXiv:1910.02054, section 3), gradients summed in float32, AdamW with a float32 master copy.

    The reference of `grpo.kl` is a copy of the weights, shared out like them; with adapters it is the model below them.

    Stages 0 and 1 both share out the optimiser state, 2 the gradients too, 3 the weights too. Activations are
    those kept for the backward pass of one micro-batch of `learner.micro_batch_tokens`, with the kernels of
    `medrl.kernels`: per token and layer six vectors of the hidden size (input and output of both norms, queries, what
    attention returns), keys and values, three of the MLP's width; with gradient checkpointing, the input of each layer
    and all of one layer. Logits and their gradient exist at action positions only, at most the share of actions in a
    turn.
    """
    width, stage, ranks = BYTES[config.model.dtype], config.learner.zero_stage, config.learner.ranks
    trained = trained_parameters(config, shape)
    weights = shape.parameters * width / (ranks if stage == 3 else 1)
    tokens = config.learner.micro_batch_tokens
    values = 6 * shape.hidden + 2 * shape.kv_heads * shape.head_dim + 3 * shape.intermediate
    layer = tokens * values * width
    if config.learner.gradient_checkpointing:
        activations = shape.layers * tokens * shape.hidden * width + layer
    else:
        activations = shape.layers * layer
    action_share = config.env.max_turn_tokens / (config.env.max_turn_tokens + config.env.observation_tokens)
    return LearnerMemory(
        weights=weights,
        gradients=trained * 4 / (ranks if stage >= 2 else 1),
        optimizer=trained * 12 / ranks,
        activations=float(activations),
        logits=tokens * action_share * shape.vocab * width * 2,
        reference=weights if config.grpo.kl and not config.learner.lora_rank else 0.0,
    )


@dataclass(frozen=True, slots=True)
class EngineMemory:
    """Bytes in one inference engine, on each of its tensor-parallel ranks; and what its cache can hold."""

    weights: float
    kv_cache: float
    kv_bytes_per_token: int
    cached_sequences: int


def engine_memory(config: Config, shape: ModelShape, device_bytes: float | None = None) -> EngineMemory:
    """On CPU the cache is `pool.kv_cache_gb` (GiB, as vLLM reads it). On a GPU of `device_bytes`, what is left of
    `pool.gpu_memory_utilization` beside the weights and what vLLM computes with. `cached_sequences`: of full length,
    held at once."""
    width, parallel = BYTES[config.model.dtype], config.pool.tensor_parallel
    weights = shape.parameters * width / parallel
    per_token = 2 * shape.layers * shape.kv_heads * shape.head_dim * width
    if device_bytes is None:
        cache = config.pool.kv_cache_gb * 2**30
    else:
        cache = max(0.0, device_bytes * config.pool.gpu_memory_utilization - weights - RUNTIME_ENGINE_GPU)
    tokens = cache * parallel / per_token
    return EngineMemory(weights, cache, per_token, int(tokens // config.model.max_length))


def host_memory(config: Config, shape: ModelShape) -> dict[str, float]:
    """Bytes of RAM by part, all processes of a CPU run together."""
    engine = engine_memory(config, shape)
    return {
        "learner": config.learner.ranks * (learner_memory(config, shape).total + RUNTIME_LEARNER),
        "inference": config.pool.engines
        * (config.pool.tensor_parallel * (engine.weights + engine.kv_cache) + RUNTIME_ENGINE),
        "rollout workers": config.rollout.workers * RUNTIME_WORKER,
        "weights on their way": shape.parameters * float(BYTES[config.model.dtype]),
        "ray and controller": RUNTIME_RAY,
    }


def node_memory(config: Config, shape: ModelShape, actors: Collection[str]) -> dict[str, float]:
    """Bytes of RAM by part on a GPU node that has `actors`, by name.

    Published weights are there twice for a moment: old and new on the learner's first node, Ray's copy and the file on
    an engine's. A rank copies its part of a checkpoint to RAM before it writes.
    """
    kinds = Counter(kind(name) for name in actors)
    moving = kinds["engine"] or "learner-0" in actors
    return {
        "learner processes": kinds["learner"] * RUNTIME_LEARNER,
        "engine processes": kinds["engine"] * (config.pool.tensor_parallel + 1) * RUNTIME_ENGINE,
        "rollout workers": kinds["rollout"] * RUNTIME_WORKER,
        "weights on their way": 2.0 * shape.parameters * BYTES[config.model.dtype] if moving else 0.0,
        "checkpoint, a copy": state_bytes(config, shape) * kinds["learner"] / config.learner.ranks,
        "ray and controller": RUNTIME_RAY,
    }


def fullest_node(config: Config, shape: ModelShape, found: Mapping[str, Node]) -> tuple[str, dict[str, float]]:
    """Name, and `node_memory`, of the node that needs most; `found` as from `actors.seats.seats`."""
    parts = {
        node.host: node_memory(config, shape, [name for name, seat in found.items() if seat == node])
        for node in found.values()
    }
    host = max(parts, key=lambda host: sum(parts[host].values()))
    return host, parts[host]


def disk_bytes(config: Config, shape: ModelShape) -> dict[str, float]:
    """Bytes written below the run directory, by part; trajectories at their longest."""
    checkpoint = shape.parameters * float(BYTES[config.model.dtype])
    return {
        "checkpoints": checkpoint * 3,  # sft and rl, and one more while one is being written
        "what GRPO goes on from": 2 * state_bytes(config, shape),  # one more while one is being written
        "trajectories": float(episodes(config) * config.model.max_length * _BYTES_PER_EPISODE_TOKEN + _learnt(config)),
        "metrics, data, report": 0.2e9,
    }


def _learnt(config: Config) -> int:
    """Bytes of the learner's log-probs, if every episode of training is sampled to its end and learnt from."""
    tokens = config.grpo.steps * config.grpo.samples_per_step * config.model.max_length
    return tokens * _BYTES_PER_LEARNT_TOKEN if config.tracking.token_logprobs else 0


def state_bytes(config: Config, shape: ModelShape) -> float:
    """A checkpoint that GRPO goes on from: what is trained in float32 and AdamW's two moments, all ranks together."""
    return trained_parameters(config, shape) * 12.0


def episodes(config: Config) -> int:
    """Episodes played in a whole run, at most: training, and the evaluation of three models, of the base greedily
    alone."""
    training = config.grpo.steps * (config.grpo.groups_per_step + config.grpo.refill) * config.grpo.group_size
    return training + evaluation_episodes(config)


def evaluation_episodes(config: Config) -> int:
    """Episodes of the held-out evaluation."""
    questions = min(config.eval.questions, config.kisa.heldout_questions)
    return questions * (3 + 2 * config.eval.samples)
