"""From a run directory, or a model's folder with a recipe, to an agent that can be asked."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer

from actors import placement
from actors.pool import InferencePool
from envs.toolbox import SIGNATURES, open_toolbox, open_vocabulary
from envs.tools.selector import Advisor, Selector
from kisa.knowledge import build_knowledge
from kisa.sources import hpo
from launch.aside import aside
from launch.ask.agent import Agent, Asked, check_length, check_words
from launch.ask.calibration import Calibration, read_calibration
from launch.model import check_model_folder, resolve_model
from launch.preflight import knowledge_checks
from launch.recipe import load_recipe
from launch.rundir import difference
from medrl.chat import ChatCodec, system_prompt
from medrl.config import Config, load
from medrl.errors import ConfigError
from medrl.types import Message

CHECKPOINTS = ("rl", "sft", "base")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which model is asked, and how. `run`: None for a folder that no run of ours made."""

    name: str
    config: Config
    model: Path
    run: Path | None
    checkpoint: str


def choose(model: Path, checkpoint: str | None, recipe: str | None, settings: Sequence[str] = ()) -> Chosen:
    """`model`: a run directory, or a Hugging Face folder with the `recipe` whose tools and limits it is asked with.

    Without `checkpoint` a run's last one is taken. Raises ConfigError or DataError, one line.
    """
    if (model / "config.yaml").is_file():
        if recipe is not None:
            raise ConfigError(f"{model} is a run, which has its recipe: leave --recipe out")
        return _of_run(model, checkpoint, tuple(settings))
    if (model / "config.json").is_file():
        if recipe is None:
            raise ConfigError(f"{model} is a model, no run: give --recipe too, for the tools and limits to ask it with")
        if checkpoint is not None:
            raise ConfigError(f"{model} is a model, no run: leave --checkpoint out")
        check_model_folder(model)
        return Chosen(model.resolve().name, load_recipe(recipe, settings), model, None, "model")
    raise ConfigError(f"{model}: no run (config.yaml) and no model (config.json); give the folder of either")


def _of_run(run: Path, checkpoint: str | None, settings: tuple[str, ...]) -> Chosen:
    config = load(run / "config.yaml", (*settings, f"run_dir={run}"))  # it may have been moved
    folders = {name: run / "checkpoints" / name for name in ("rl", "sft")}
    there = [name for name, folder in folders.items() if (folder / "config.json").is_file()]
    if checkpoint is None:
        if not there:
            raise ConfigError(f"{run} has no checkpoint yet: train it, or ask the base model with --checkpoint base")
        checkpoint = there[0]
    if checkpoint == "base":
        model = resolve_model(config.model, Path(config.knowledge.cache).expanduser())
    elif checkpoint in there:
        model = folders[checkpoint]
        check_model_folder(model)
    else:
        raise ConfigError(f"{run} has no checkpoint {checkpoint!r}; it has {', '.join([*there, 'base'])}")
    return Chosen(f"{config.name}-{checkpoint}", config, model, run, checkpoint)


def check_ahead(chosen: Chosen, asked: Asked) -> None:
    """Raises DataError for a question that the agent would refuse: before anything starts, which takes a while. A hint
    of its advisor's may make the question longer; the agent itself looks at that."""
    codec = ChatCodec(AutoTokenizer.from_pretrained(chosen.model))
    check_words(asked, codec)
    opening = (Message("system", system_prompt(SIGNATURES)), Message("user", asked.context + asked.text.strip()))
    check_length(len(codec.prompt(opening)), chosen.config)


@contextmanager
def opened(chosen: Chosen) -> Iterator[tuple[Agent, InferencePool]]:
    """The agent, and the engines under it, to be watched while it is asked. All processes end with the block.

    Its tools run in this process, on one thread. Raises ConfigError, DataError, InfrastructureError.
    """
    config = playing_alone(chosen.config)
    placement.require_here(config)
    hpo.locate(config.knowledge.ontology)
    for look in knowledge_checks(config):
        look()
    calibration = calibration_of(chosen)
    _say("opening the documents")
    knowledge = aside(build_knowledge, config.knowledge)
    with placement.session(config):
        _say(f"starting {chosen.name}, which takes a minute on a CPU")
        pool = InferencePool(config, chosen.model)
        try:
            tools = open_toolbox(knowledge, config.knowledge, threads=1)
            advisor = None
            if config.uses_tool_choice:
                vocabulary = open_vocabulary(knowledge, config.knowledge)
                advisor = Advisor(Selector.load(config.tool_choice_path), vocabulary)
            codec = ChatCodec(AutoTokenizer.from_pretrained(chosen.model))
            yield Agent(chosen.name, config, pool.generate, codec, tools, advisor, calibration), pool
        finally:
            pool.close()


def playing_alone(config: Config) -> Config:
    """With seats for engines alone: nobody learns, and the episodes run in this process."""
    return config.model_copy(
        update={
            "learner": config.learner.model_copy(update={"ranks": 0}),
            "rollout": config.rollout.model_copy(update={"workers": 0}),
        }
    )


def calibration_of(chosen: Chosen) -> Calibration | None:
    """None too where held-out questions were played with other settings than now. Raises ConfigError, DataError."""
    if chosen.run is None:
        return None
    played = load(chosen.run / "config.yaml", (f"run_dir={chosen.run}",))
    if difference(played, chosen.config) is not None:
        return None
    return read_calibration(chosen.run, chosen.checkpoint, played.grpo.temperature)


def _say(what: str) -> None:
    print(f"medrl: {what} …", file=sys.stderr, flush=True)
