"""Who plays: a checkpoint of the run, a Hugging Face folder, or a model behind an OpenAI-compatible endpoint; and with
which tools."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from envs.toolbox import SIGNATURES
from launch.model import check_model_folder
from launch.preflight import require_key
from launch.rundir import RunDirectory
from medrl.chat import system_prompt
from medrl.config import Config
from medrl.errors import ConfigError
from medrl.sections.endpoint import EndpointConfig

#: The checkpoints of a run, and the stages that make them.
STAGES = {"base": None, "sft": "sft", "rl": "grpo"}
TOOLS = tuple(signature.name for signature in SIGNATURES)
_NO_NAME = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Agent:
    """`name`: in tables and in names of folders. `model`: a Hugging Face folder, or an endpoint. `is_checkpoint`: of
    this run, so that engines which hold another one of it can take its weights."""

    name: str
    model: Path | EndpointConfig
    is_checkpoint: bool = False

    def about(self) -> dict[str, Any]:
        """What its answers depend on: the weights, or a model's name and where it was asked."""
        if isinstance(self.model, EndpointConfig):
            return {"model": self.model.model, "host": self.model.host, "max_tokens": self.model.max_tokens}
        return {"weights": _digest(self.model)}


@dataclass(frozen=True, slots=True)
class ToolSet:
    """`tools`: by name, in the order of the system prompt; () is closed-book."""

    name: str
    tools: tuple[str, ...]

    @property
    def play(self) -> tuple[str, ...] | None:
        """As `actors.rollout.Play` has it: None for all."""
        return None if self.tools == TOOLS else self.tools

    @property
    def prompt(self) -> str:
        """What an agent with these tools is told first."""
        return system_prompt([each for each in SIGNATURES if each.name in self.tools])


def tool_set(text: str) -> ToolSet:
    """Of `all`, `none`, or names with commas between. Raises ConfigError."""
    if text in ("all", "none"):
        return ToolSet(text, TOOLS if text == "all" else ())
    named = [name.strip() for name in text.split(",")]
    if strange := [name for name in named if name not in TOOLS]:
        raise ConfigError(
            f"--tools {text}: there is no tool {strange[0]!r}: give all, none, or some of {','.join(TOOLS)}"
        )
    tools = tuple(name for name in TOOLS if name in named)
    return ToolSet("all" if tools == TOOLS else "+".join(tools), tools)


def find_agents(asked: Sequence[str], config: Config, run_dir: RunDirectory, base_model: Path) -> list[Agent]:
    """The agents by what they were called on the command line; if none was, the checkpoints that the run has made, or
    the base model where it has made none. Raises ConfigError."""
    made = [name for name, stage in STAGES.items() if stage is not None and run_dir.done(stage)]
    agents = [_agent(name, config, run_dir, base_model) for name in dict.fromkeys(asked or made or ["base"])]
    names = [agent.name for agent in agents]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"two agents are called {twice[0]}: evaluate one of them in another run_dir")
    return agents


def _agent(asked: str, config: Config, run_dir: RunDirectory, base_model: Path) -> Agent:
    if asked in STAGES:
        stage = STAGES[asked]
        if stage is None:
            return Agent(asked, base_model, is_checkpoint=True)
        if not run_dir.done(stage):
            raise ConfigError(f"--agent {asked}: {run_dir.path} has no such checkpoint yet; `medrl train` makes it")
        return Agent(asked, run_dir.path / "checkpoints" / asked, is_checkpoint=True)
    if "://" in asked:
        return _remote(_endpoint(asked))
    for model in config.eval.models:
        if model.model == asked:
            return _remote(model)
    folder = Path(asked).expanduser()
    if not folder.is_dir():
        raise ConfigError(
            f"--agent {asked}: neither {', '.join(STAGES)} nor a folder, an address with #MODEL behind it, or the name "
            "of a model in eval.models"
        )
    check_model_folder(folder)
    return Agent(_named(folder.resolve().name), folder)


def _remote(endpoint: EndpointConfig) -> Agent:
    require_key(endpoint)
    return Agent(_named(endpoint.model), endpoint)


def _endpoint(asked: str) -> EndpointConfig:
    """URL#MODEL. The message does not show the address, in which somebody may have put a password."""
    url, _, model = asked.partition("#")
    if not model:
        raise ConfigError("--agent with an address: write it as URL#MODEL, such as http://127.0.0.1:8000/v1#qwen3-8b")
    try:
        return EndpointConfig(url=url, model=model)
    except ValidationError as error:
        raise ConfigError(f"--agent {model}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def _named(text: str) -> str:
    """As it can stand in the name of a folder."""
    return _NO_NAME.sub("-", text).strip("-.") or "model"


def _digest(folder: Path) -> str:
    """A hash of weights and tokenizer."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(each for each in folder.iterdir() if each.suffix in (".safetensors", ".json", ".jinja")):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'blake2b').hexdigest()}\n".encode())
    return digest.hexdigest()
