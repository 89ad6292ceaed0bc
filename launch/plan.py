"""`medrl plan`: what a run would do and need, before anything starts."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from actors.placement import Needs, described_nodes, plan, this_machine
from actors.seats import Node, gpus, kind, seats
from launch.advice import warnings
from launch.durations import duration
from launch.footprint import (
    RUNTIME_ENGINE_GPU,
    RUNTIME_GPU,
    EngineMemory,
    LearnerMemory,
    ModelShape,
    disk_bytes,
    engine_memory,
    episodes,
    fullest_node,
    host_memory,
    learner_memory,
    state_bytes,
)
from launch.forecast import forecast
from medrl.config import Config
from medrl.errors import ConfigError, UserError
from medrl.experts import described, learnt_for
from medrl.sections.kisa import KisaConfig
from medrl.sections.learning import GRPOConfig


def render_plan(config: Config, model_path: Path, shape: ModelShape, rate: float | None = None) -> str:
    """The plan as text, for a model of `shape` in `model_path`; with hours where `rate` is given: FLOP/s of this
    machine's processor."""
    on_gpus = config.device == "cuda"
    gpu_bytes = config.cluster.gpu_gb * 1e9 if on_gpus else None
    parts = [
        _section("run", _run(config, model_path, shape)),
        _section("work", _work(config)),
        *([] if rate is None else [_section("time on this machine, roughly", _time(config, shape, rate))]),
        _section("processes", _processes(config)),
        _section("memory, a learner rank" + " (one GPU)" * on_gpus, _learner(config, learner_memory(config, shape))),
        _section(
            "memory, an inference engine" + " (each of its GPUs)" * on_gpus,
            _engine(config, engine_memory(config, shape, gpu_bytes)),
        ),
    ]
    if on_gpus:
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
        f"{model_path} ({shape.parameters / 1e6:,.1f}M parameters, {config.model.dtype}, {shape.layers} layers, "
        f"context {shape.context:,})",
    )


def _work(config: Config) -> Iterable[tuple[str, str]]:
    grpo, sft = config.grpo, config.sft
    a_step = grpo.groups_per_step * grpo.group_size
    an_update = grpo.samples_per_step / grpo.updates_per_batch
    asked = min(config.eval.questions, config.kisa.heldout_questions)
    yield "questions", f"{config.kisa.train_questions:,} to train on, {config.kisa.heldout_questions:,} held out"
    yield from _asked_of_models(config.kisa, config.env.max_turns)
    epochs = sft.updates * sft.batch_trajectories / config.kisa.train_questions
    first, *rest = _expert(config)
    yield "r_expert", first
    yield from (("", f"{'':26}{text}") for text in rest)
    yield "SFT", f"{sft.updates} updates × {sft.batch_trajectories} trajectories, {epochs:.2g} epochs"
    yield "GRPO, a step", f"{grpo.groups_per_step} questions × {grpo.group_size} samples = {a_step:,} episodes"
    if grpo.refill:
        yield "", f"{'':26}and up to {grpo.refill} more questions in place of those that teach nothing"
    yield (
        "",
        (
            f"{'':26}{grpo.updates_per_batch} optimiser update(s) of {an_update:g} sequences"
            + (f", {grpo.train_per_group} of each question" if grpo.train_per_group else "")
            + (", less the groups all right or all wrong" if grpo.learn_from == "mixed" else "")
            + (", less the groups without spread" if grpo.skip_constant_groups else "")
        ),
    )
    yield "tokens, a step", _tokens(config)
    yield "schedule", _schedule(grpo)
    updates = grpo.steps * grpo.updates_per_batch
    or_more = " or more" if grpo.refill else ""
    yield "GRPO, in all", f"{grpo.steps} steps, {grpo.steps * a_step:,} episodes{or_more}, {updates} updates"
    yield "evaluation", f"base, SFT and RL on {asked} questions: 1 greedy, {config.eval.samples} sampled (not base)"
    yield "episodes", f"at most {episodes(config):,} in all, of at most {config.model.max_length:,} tokens"


def _time(config: Config, shape: ModelShape, rate: float) -> Iterable[tuple[str, str]]:
    stages = forecast(config, shape, rate)
    yield "SFT", duration(stages.sft)
    yield "GRPO", duration(stages.grpo)
    yield "evaluation", duration(stages.evaluation)
    yield "together", f"{duration(stages.sft + stages.grpo + stages.evaluation)}, and some minutes for the data"
    yield "", f"{'':26}half of it or twice, by how long episodes become; measured: {rate / 1e12:.2g} TFLOP/s"


def _expert(config: Config) -> list[str]:
    """Where r_expert comes from; what ratings teach, if they can be read here."""
    reward = config.reward
    if reward.judge is not None:
        return [f"{reward.judge.model} at {reward.judge.host}"]
    if not reward.ratings:
        return ["the built-in rubric"]
    try:
        return described(learnt_for(config))
    except UserError:  # a warning says it
        return [f"to be learnt from {', '.join(reward.ratings)}"]


def _asked_of_models(kisa: KisaConfig, max_turns: int) -> Iterable[tuple[str, str]]:
    """Requests to language models, retries apart."""
    questions = kisa.train_questions + kisa.heldout_questions
    again = 1 + kisa.regenerations
    if kisa.significance:
        yield "significance", f"{kisa.significance.model}: one request for each rare entity, thousands of HPO"
    if kisa.wording:
        yield "wording", f"{kisa.wording.model}: {questions:,} requests, and one for each question that is made harder"
    for solver in kisa.solvers:
        least = questions * kisa.solver_samples
        yield "solver", f"{solver.model}: {least:,} requests, up to {least * again:,} if all are made harder"
    if kisa.teacher:
        most = kisa.train_questions * max_turns
        yield "teacher", f"{kisa.teacher.model}: {kisa.train_questions:,} episodes, at most {most:,} requests"


def _schedule(grpo: GRPOConfig) -> str:
    groups = grpo.groups_in_flight or (grpo.staleness + 1) * grpo.groups_per_step + grpo.refill
    flight = f"at most {groups:,} groups ({groups * grpo.group_size:,} episodes) in flight or waiting"
    return f"{grpo.schedule}: tokens at most {grpo.staleness} policy versions old, {flight}"


def _tokens(config: Config) -> str:
    """Of the episodes that are learnt from, all at their longest."""
    sampled = min(config.env.max_turns * config.env.max_turn_tokens, config.model.max_length)
    number = config.grpo.samples_per_step
    read = number * config.model.max_length
    return f"at most {read:,} through the learner, {number * sampled:,} of them sampled and trained on"


def _processes(config: Config) -> Iterable[tuple[str, str]]:
    """As `actors.placement` will ask for them, whether they find a node or not."""
    anywhere = Node("", "anywhere", math.inf, math.inf) if config.device == "cuda" else this_machine()
    needs = plan(config, [anywhere])
    rows = {name: _resources(each, config.device) for name, each in needs.items()}
    for (_, text), names in groupby(rows, lambda name: (kind(name), rows[name])):
        yield _range(list(names)), text


def _resources(needs: Needs, device: str) -> str:
    if device == "cpu":
        threads = needs.env["OMP_NUM_THREADS"]
        return f"{threads} thread{'s' * (threads != '1')}"
    return f"{needs.num_gpus:g} GPU, {needs.num_cpus:g} CPU" if needs.num_gpus else f"{needs.num_cpus:g} CPU"


def _range(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"


def _learner(config: Config, memory: LearnerMemory) -> Iterable[tuple[str, str]]:
    yield from _sum(
        {
            "weights": memory.weights,
            "gradients (float32)": memory.gradients,
            "optimiser state": memory.optimizer,
            "activations (estimate)": memory.activations,
            "logits (at most)": memory.logits,
        }
        | ({"reference (grpo.kl)": memory.reference} if config.grpo.kl else {})
        | ({"CUDA, NCCL (estimate)": RUNTIME_GPU} if config.device == "cuda" else {})
    )
    if config.device == "cuda":
        yield (
            "of its GPU",
            f"{(memory.total + RUNTIME_GPU) / config.cluster.gpu_gb / 1e9:.0%} of {config.cluster.gpu_gb:g} GB",
        )


def _engine(config: Config, memory: EngineMemory) -> Iterable[tuple[str, str]]:
    yield "weights", _size(memory.weights)
    if config.device == "cuda":
        yield "vLLM's own (estimate)", _size(RUNTIME_ENGINE_GPU)
    parallel = config.pool.tensor_parallel
    over = f" over {parallel} GPUs" if parallel > 1 else ""
    yield "KV cache", f"{_size(memory.kv_cache)}, {memory.kv_bytes_per_token / 1e3:.1f} kB a token{over}"
    yield "", f"{'':26}{memory.cached_sequences} episodes of full length at once{over}"
    if config.device == "cuda":
        used = memory.weights + RUNTIME_ENGINE_GPU + memory.kv_cache
        yield "together", _share(used, config.cluster.gpu_gb)


def _cluster(config: Config, shape: ModelShape) -> Iterable[tuple[str, str]]:
    cluster = config.cluster
    yield "GPUs", f"{gpus(config)} of {cluster.nodes * cluster.gpus_per_node}, {cluster.gpus_per_node} a node"
    try:
        found = seats(config, described_nodes(config))
    except ConfigError:  # a warning says it
        return
    for node in described_nodes(config):
        names = sorted((name for name, seat in found.items() if seat == node), key=kind)
        groups = [_count(of, len(list(group))) for of, group in groupby(names, kind)]
        yield node.host, ", ".join(groups) or "nothing"
    host, parts = fullest_node(config, shape, found)
    yield f"host memory, {host}", f"{_share(sum(parts.values()), cluster.memory_gb)}, the most of all nodes"
    yield from ((f"  {name}", _size(size)) for name, size in parts.items() if size)


def _count(of: str, number: int) -> str:
    word = {"engine": "engine", "learner": "learner rank", "rollout": "rollout worker"}.get(of)
    return of if word is None else f"{number} {word}{'s' * (number > 1)}"


def _written(config: Config, shape: ModelShape) -> Iterable[tuple[str, str]]:
    yield "config.yaml", "these settings, resolved"
    yield "data/", f"questions and guided trajectories{f', in {config.data_path}' if config.out else ''}"
    yield "checkpoints/", "sft and rl, as Hugging Face folders"
    learnt = "; *.tokens.jsonl: the learner's log-probs of those it learnt from" * config.tracking.token_logprobs
    yield "trajectories/", f"every episode, one JSON line each{learnt}"
    yield (
        "checkpoints/state/",
        f"{_size(state_bytes(config, shape))} (12 bytes a trained parameter) every {config.checkpoint.every} GRPO "
        "steps; only the last is kept",
    )
    yield "metrics.jsonl", "one line a step" + (", and wandb/ beside it" if config.tracking.wandb else "")
    yield "summary.json, report.html", "the results"
    yield "at most", ", ".join(f"{name} {_size(size)}" for name, size in disk_bytes(config, shape).items())


def _sum(parts: Mapping[str, float]) -> Iterable[tuple[str, str]]:
    yield from ((name, _size(size)) for name, size in parts.items())
    yield "together", _size(sum(parts.values()))


def _share(used: float, of_gb: float) -> str:
    return f"{_size(used)} of {of_gb:g} GB ({used / of_gb / 1e9:.0%})"


def _size(size: float) -> str:
    return f"{size / 1e9:.2f} GB"
