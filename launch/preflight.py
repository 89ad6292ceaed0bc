"""What can be known to fail is found before anything starts."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import psutil
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from actors import placement
from envs.network.attempts import key_in
from envs.retrieval.embedding import encoder_path
from envs.retrieval.journals import Journals
from envs.search.opening import live_provider
from envs.sources.disk import DiskIndex
from envs.sources.opening import open_sources
from envs.sources.orange_book import contents_digest
from envs.tools.replay import open_answers
from envs.tools.selector import Selector
from kisa.sources import hpo
from kisa.sources.prevalence import read_prevalence
from launch.footprint import ModelShape, disk_bytes, host_memory, read_config, read_shape
from launch.model import resolve_model
from medrl.config import Config
from medrl.curriculum import Curriculum
from medrl.errors import ConfigError
from medrl.experts import EXPERT_FILE, learnt_for
from medrl.policy import changed_logits
from medrl.sections.endpoint import EndpointConfig


def check(config: Config) -> Path:
    """The folder of the model to start from, once everything else is in order. Raises ConfigError or DataError."""
    Curriculum(range(config.kisa.min_hops, config.kisa.max_hops + 1), config.curriculum)
    placement.require_here(config)
    hpo.locate(config.knowledge.ontology)
    for look in knowledge_checks(config):
        look()
    run_path, cache = config.run_path, Path(config.knowledge.cache).expanduser()
    check_writable(run_path, "run_dir")
    check_writable(cache, "knowledge.cache")
    open_sources(config.knowledge)  # indexes the Orange Book; asks nothing of the network
    if config.knowledge.recording.mode == "cache":
        open_answers(config.knowledge.recording).close()
    if config.out:
        check_writable(config.data_path, "out")
    check_benchmarks(config.kisa.benchmarks)
    model = resolve_model(config.model, cache)
    check_trainable(model, config.device)
    shape = read_shape(model)
    check_fits(config, shape, free_bytes=shutil.disk_usage(run_path).free, memory_bytes=memory_limit())
    return model


def knowledge_checks(config: Config) -> list[Callable[[], object]]:
    """One for each thing that settings name: files, folders, keys. They write nothing, ask nothing of the network, and
    raise ConfigError or DataError."""
    knowledge = config.knowledge
    checks: list[Callable[[], object]] = [
        partial(encoder_path, knowledge.encoder),
        partial(live_provider, knowledge),
        *(partial(DiskIndex.open, Path(each).expanduser(), knowledge.encoder) for each in knowledge.indexes),
    ]
    if knowledge.orange_book and "orange_book" in knowledge.sources:
        checks.append(partial(contents_digest, Path(knowledge.orange_book).expanduser()))
    if knowledge.journals:
        checks.append(partial(Journals.read, Path(knowledge.journals).expanduser()))
    if knowledge.frequencies:
        checks.append(partial(_check_frequencies, knowledge.frequencies))
    if knowledge.prevalence:
        checks.append(partial(read_prevalence, Path(knowledge.prevalence).expanduser()))
    if knowledge.recording.mode == "replay":
        checks.append(lambda: open_answers(knowledge.recording).close())
    if knowledge.reader is not None:
        checks.append(partial(require_key, knowledge.reader))
    if config.reward.ratings and not (config.run_path / EXPERT_FILE).exists():
        checks.append(partial(learnt_for, config))
    if config.kisa.tool_choice:
        checks.append(partial(Selector.load, config.tool_choice_path))
    return checks


def require_key(endpoint: EndpointConfig) -> None:
    """Raises ConfigError if the variable that holds the endpoint's key is not set, or can hold none."""
    if endpoint.key_from is not None and key_in(endpoint.key_from) is None:
        raise ConfigError(
            f"{endpoint.model} at {endpoint.host} wants a key: put it into the environment as {endpoint.key_from}"
        )


def _check_frequencies(name: str) -> None:
    if not Path(name).expanduser().is_file():
        raise ConfigError(f"knowledge.frequencies={name}: no such file; `medrl count` writes one")


def check_trainable(model: Path, device: str) -> None:
    """Raises ConfigError if the network of the folder `model` computes what the learner does not (`medrl.policy`)."""
    values = read_config(model)
    if values.get("model_type") not in CONFIG_MAPPING_NAMES:
        raise ConfigError(
            f"model.path={model}: transformers {transformers.__version__} knows no model_type "
            f"{values.get('model_type')!r}; give a model that it and vLLM know"
        )
    refused = changed_logits(values)
    if values.get("attention_dropout"):  # the learner's log-probs would be drawn at random
        refused.append("attention_dropout")
    if device == "cpu":  # see medrl.attention
        if values.get("attn_logit_softcapping"):
            refused.append("attn_logit_softcapping")
        if values.get("use_sliding_window", True) and values.get("sliding_window"):
            refused.append("sliding_window")
    if refused:
        raise ConfigError(
            f"model.path={model}: {refused[0]}={values[refused[0]]!r} in config.json is not supported on {device}; "
            "use a model without it"
        )


def check_benchmarks(names: Sequence[str]) -> None:
    """Raises ConfigError if one of the files that questions are compared with is not there."""
    missing = [name for name in names if not Path(name).expanduser().is_file()]
    if missing:
        raise ConfigError(f"kisa.benchmarks={missing[0]}: no such file; give text files of the benchmarks' questions")


def check_writable(folder: Path, key: str) -> None:
    """Make `folder` if it is not there and write to it. `key` names the setting in the error."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"medrl")
    except OSError as error:
        raise ConfigError(f"{key}={folder}: {error.strerror}; give a folder that can be written") from error


def check_fits(config: Config, shape: ModelShape, *, free_bytes: float, memory_bytes: float) -> None:
    """Raises ConfigError if the run needs more context, disk or memory than there is."""
    if config.model.max_length > shape.context:
        raise ConfigError(
            f"model.max_length={config.model.max_length}: the model reads {shape.context} tokens; use that or less"
        )
    disk = sum(disk_bytes(config, shape).values())
    if disk > free_bytes:
        raise ConfigError(
            f"{config.run_path}: the run may write {disk / 1e9:.1f} GB, {free_bytes / 1e9:.1f} GB are free; "
            "make room or give another run_dir"
        )
    if config.device == "cpu":
        parts = host_memory(config, shape)
        needed, largest = sum(parts.values()), max(parts, key=lambda part: parts[part])
        if needed > memory_bytes:
            raise ConfigError(
                f"the run needs about {needed / 1e9:.1f} GB of memory, the machine has {memory_bytes / 1e9:.1f} GB; "
                f"most is for the {largest}: see `medrl plan`"
            )


def memory_limit() -> float:
    """Bytes of memory that this process may use: the machine's, or the container's limit if that is lower."""
    limit = float(psutil.virtual_memory().total)
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        if os.path.exists(path):
            text = Path(path).read_text(encoding="ascii").strip()
            if text != "max":
                limit = min(limit, float(text))
    return limit
