"""`medrl plan`: what a run would do and need, before anything starts."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from actors import placement
from launch.advice import warnings
from launch.footprint import (
    RUNTIME_GPU,
    EngineMemory,
    LearnerMemory,
    ModelShape,
    disk_bytes,
    engine_memory,
    episodes,
    host_memory,
    learner_memory,
    state_bytes,
)
from medrl.config import Config
from medrl.sections import GRPOConfig


def render_plan(config: Config, model_path: Path, shape: ModelShape) -> str:
    """The plan as text, for a model of `shape` in `model_path`."""
    gpu_bytes = config.cluster.gpu_gb * 1e9 if config.device == "cuda" else None
    parts = [
        _section("run", _run(config, model_path, shape)),
        _section("work", _work(config)),
        _section("processes", _processes(config)),
        _section("memory, a learner rank", _learner(learner_memory(config, shape))),
        _section("memory, an inference engine", _engine(config, engine_memory(config, shape, gpu_bytes))),
    ]
    if config.device == "cuda":
        parts.append(_section("cluster", _cluster(config, shape)))
    else:
        parts.append(_section("memory, all processes", _sum(host_memory(config, shape))))
    parts.append(_section(f"written below {config.run_path}/", _written(config, shape)))
    parts.append(_section("all settings", [("", line) for line in config.to_yaml().splitlines()]))
    found = warnings(config, shape)
    advice = "\n".join(f"  ! {line}" for line in found) if found else "  none"
    return "\n\n".join([*parts, "warnings\n" + advice]) + "\n"


def _section(title: str, rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join([title, *(f"  {name:26}{text}" if name else f"  {text}" for name, text in rows)])


def _run(config: Config, model_path: Path, shape: ModelShape) -> Iterable[tuple[str, str]]:
    yield "name", f"{config.name}, seed {config.seed}, on {config.device}"
    yield (
        "model",
        f"{model_path} ({shape.parameters / 1e6:,.1f}M parameters, {shape.layers} layers, context {shape.context:,})",
    )


def _work(config: Config) -> Iterable[tuple[str, str]]:
    grpo, sft = config.grpo, config.sft
    a_step = grpo.groups_per_step * grpo.group_size
    an_update = grpo.samples_per_step / grpo.updates_per_batch
    asked = min(config.eval.questions, config.kisa.heldout_questions)
    yield "questions", f"{config.kisa.train_questions:,} to train on, {config.kisa.heldout_questions:,} held out"
    epochs = sft.updates * sft.batch_trajectories / config.kisa.train_questions
    yield "SFT", f"{sft.updates} updates × {sft.batch_trajectories} trajectories, {epochs:.2g} epochs"
    yield "GRPO, a step", f"{grpo.groups_per_step} questions × {grpo.group_size} samples = {a_step:,} episodes"
    yield (
        "",
        (
            f"{'':26}{grpo.updates_per_batch} optimiser update(s) of {an_update:g} sequences"
            + (f", {grpo.train_per_group} of each question" if grpo.train_per_group else "")
            + (", less the groups all right or all wrong" if grpo.learn_from == "mixed" else "")
            + (", less the groups without spread" if grpo.skip_constant_groups else "")
        ),
    )
    yield "schedule", _schedule(grpo)
    updates = grpo.steps * grpo.updates_per_batch
    yield "GRPO, in all", f"{grpo.steps} steps, {grpo.steps * a_step:,} episodes, {updates} updates"
    yield "evaluation", f"base, SFT and RL on {asked} questions: 1 greedy, {config.eval.samples} sampled (not base)"
    yield "episodes", f"{episodes(config):,} in all, of at most {config.model.max_length:,} tokens"


def _schedule(grpo: GRPOConfig) -> str:
    groups = grpo.groups_in_flight or (grpo.staleness + 1) * grpo.groups_per_step
    flight = f"{groups * grpo.group_size:,} episodes in flight or waiting at most"
    return f"{grpo.schedule}: tokens at most {grpo.staleness} policy versions old, {flight}"


def _processes(config: Config) -> Iterable[tuple[str, str]]:
    """As `actors.placement` will ask for them; on CPU they take turns at the cores."""
    for needs in placement.plan(config):
        threads = needs.env.get("OMP_NUM_THREADS")
        parts = [f"{needs.num_gpus:g} GPU"] * (needs.num_gpus > 0) + [f"{needs.num_cpus:g} CPU"] * (needs.num_cpus > 0)
        if threads is not None and config.device == "cpu":
            parts.append(f"{threads} thread{'s' * (threads != '1')}")
        yield needs.name, ", ".join(parts)


def _learner(memory: LearnerMemory) -> Iterable[tuple[str, str]]:
    return _sum(
        {
            "weights": memory.weights,
            "gradients (float32)": memory.gradients,
            "optimiser state": memory.optimizer,
            "activations (estimate)": memory.activations,
            "logits (at most)": memory.logits,
        }
    )


def _engine(config: Config, memory: EngineMemory) -> Iterable[tuple[str, str]]:
    yield "weights", _size(memory.weights) + (" on each of its GPUs" if config.pool.tensor_parallel > 1 else "")
    yield "KV cache", f"{_size(memory.kv_cache)}, {memory.kv_bytes_per_token / 1e3:.1f} kB a token"
    yield "", f"{'':26}{memory.cached_sequences} episodes of full length at once"


def _cluster(config: Config, shape: ModelShape) -> Iterable[tuple[str, str]]:
    cluster, gpus = config.cluster, placement.gpus(config)
    yield "GPUs", f"{gpus} of {cluster.nodes} nodes × {cluster.gpus_per_node}, {cluster.gpu_gb:g} GB each"
    learner = learner_memory(config, shape).total + RUNTIME_GPU
    engine = cluster.gpu_gb * 1e9 * config.pool.gpu_memory_utilization
    for name, used in (("a learner GPU", learner), ("an engine GPU", engine)):
        yield name, f"{_size(used)} of {cluster.gpu_gb:g} GB ({used / cluster.gpu_gb / 1e9:.0%})"
    yield "host memory a node", f"{_size(shape.parameters * 2.0)} for weights on their way, and the page cache"


def _written(config: Config, shape: ModelShape) -> Iterable[tuple[str, str]]:
    yield "config.yaml", "these settings, resolved"
    yield "data/", "questions and guided trajectories"
    yield "checkpoints/", "sft and rl, as Hugging Face folders"
    yield "trajectories/", "every episode, one JSON line each"
    yield (
        "checkpoints/state/",
        f"{_size(state_bytes(config, shape))} every {config.checkpoint.every} GRPO steps; only the last is kept",
    )
    yield "metrics.jsonl", "one line a step" + (", and wandb/ beside it" if config.tracking.wandb else "")
    yield "summary.json, report.html", "the results"
    yield "at most", ", ".join(f"{name} {_size(size)}" for name, size in disk_bytes(config, shape).items())


def _sum(parts: Mapping[str, float]) -> Iterable[tuple[str, str]]:
    yield from ((name, _size(size)) for name, size in parts.items())
    yield "together", _size(sum(parts.values()))


def _size(size: float) -> str:
    return f"{size / 1e9:.2f} GB"
