"""The whole configuration, typed. A recipe is a YAML file with these keys; `a.b=value` on the command line overrides.

Unknown keys are refused, values out of range name the fix, and nothing has a meaning that is not written here.
"""

import copy
import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from medrl.errors import ConfigError
from medrl.precision import fast_precision
from medrl.sections.base import Section
from medrl.sections.episodes import EnvConfig, EvalConfig, RewardConfig, RolloutConfig
from medrl.sections.kisa import KisaConfig
from medrl.sections.knowledge import KnowledgeConfig
from medrl.sections.learning import CurriculumConfig, GRPOConfig, SFTConfig
from medrl.sections.machines import (
    CheckpointConfig,
    ClusterConfig,
    LearnerConfig,
    ModelConfig,
    PoolConfig,
    TrackingConfig,
)

TOOL_CHOICE = "tool_choice.json"
"""The fitted choice of tools, beside the questions."""


class Config(Section):
    """A recipe, resolved."""

    name: Annotated[
        str, Field(pattern=r"^\w[\w.-]*$", description="letters, digits, dots, dashes; no dot or dash first")
    ]
    seed: int = Field(0, description="of all that is drawn by chance; the same seed and settings give the same data")
    device: Literal["cpu", "cuda"] = Field("cpu", description="what the policy is sampled and trained on")
    run_dir: str = Field("runs/{name}", description="where everything of this run is written")
    out: str = Field("", description="where synthesis writes questions and trajectories; empty: data/ in run_dir")
    resume: Literal["auto", "never"] = Field(
        "auto", description="auto: go on where run_dir stopped, from the start if it is new; never: refuse one in use"
    )
    model: ModelConfig = ModelConfig()
    knowledge: KnowledgeConfig = KnowledgeConfig()
    kisa: KisaConfig = KisaConfig()
    env: EnvConfig = EnvConfig()
    sft: SFTConfig = SFTConfig()
    reward: RewardConfig = RewardConfig()
    grpo: GRPOConfig = GRPOConfig()
    curriculum: CurriculumConfig = CurriculumConfig()
    pool: PoolConfig = PoolConfig()
    learner: LearnerConfig = LearnerConfig()
    rollout: RolloutConfig = RolloutConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    cluster: ClusterConfig = ClusterConfig()
    eval: EvalConfig = EvalConfig()
    tracking: TrackingConfig = TrackingConfig()

    @model_validator(mode="before")
    @classmethod
    def _precision(cls, values: Any) -> Any:
        """Settle `model.dtype: auto`, so that a run's config.yaml says what it was trained in."""
        if not isinstance(values, dict):
            return values
        model = values.get("model", {})
        if isinstance(model, ModelConfig):
            values = values | {"model": model.model_dump()}
        if not _is_auto(values):
            return values
        return values | {"model": values.get("model", {}) | {"dtype": fast_precision(values.get("device", "cpu"))}}

    @model_validator(mode="after")
    def _deadlines(self) -> "Config":
        retried = self.rollout.attempts * self.pool.request_timeout_s
        if self.rollout.timeout_s <= retried:
            raise ValueError(
                f"rollout.timeout_s={self.rollout.timeout_s:g} is not above rollout.attempts × pool.request_timeout_s "
                f"= {retried:g}: the run would end before an episode is tried again; raise it"
            )
        judges = {"judge": self.reward.judge, "efficiency_judge": self.reward.efficiency_judge}
        longest_s = sum(judge.longest_s for judge in judges.values() if judge is not None)  # one after the other
        if longest_s and self.rollout.timeout_s <= longest_s:
            named = " and ".join(f"reward.{name}" for name, judge in judges.items() if judge is not None)
            raise ValueError(
                f"rollout.timeout_s={self.rollout.timeout_s:g} is not above the {longest_s:g} s that all attempts of "
                f"{named} may take: raise it, or lower their attempts or timeout_s"
            )
        return self

    @model_validator(mode="after")
    def _rates(self) -> "Config":
        knowledge = self.knowledge
        asks = set(knowledge.sources) - {"orange_book"} or knowledge.web.provider in ("serper", "tavily")
        if asks and knowledge.network.processes < self.rollout.workers:
            raise ValueError(
                f"knowledge.network.processes={knowledge.network.processes}, but {self.rollout.workers} rollout "
                "workers ask at once, and services refuse who asks too often: set it to rollout.workers"
            )
        return self

    @model_validator(mode="after")
    def _folders(self) -> "Config":
        if self.out and self.data_path.resolve() == self.run_path.resolve():
            raise ValueError(f"out={self.out} is run_dir itself: give a folder of its own, or leave it empty")
        return self

    @model_validator(mode="after")
    def _devices(self) -> "Config":
        if self.device == "cpu" and self.learner.sequence_parallel > 1:
            raise ValueError(
                f"learner.sequence_parallel={self.learner.sequence_parallel} is for device=cuda: CPU ranks share one "
                "machine's memory, so there is nothing to win; set it to 1"
            )
        return self

    @model_validator(mode="after")
    def _gpus(self) -> "Config":
        if self.device == "cuda" and self.pool.tensor_parallel > self.cluster.gpus_per_node:
            raise ValueError(
                f"pool.tensor_parallel={self.pool.tensor_parallel}: an engine stays on one node, which has "
                f"cluster.gpus_per_node={self.cluster.gpus_per_node}; lower it"
            )
        return self

    @property
    def run_path(self) -> Path:
        return Path(self.run_dir.replace("{name}", self.name)).expanduser()

    @property
    def data_path(self) -> Path:
        """The folder of questions.jsonl and trajectories.jsonl."""
        return Path(self.out.replace("{name}", self.name)).expanduser() if self.out else self.run_path / "data"

    @property
    def tool_choice_path(self) -> Path:
        """The weights of the choice of tools that this run goes by (`envs.tools.selector`)."""
        given = self.kisa.tool_choice
        return Path(given).expanduser() if given else self.data_path / TOOL_CHOICE

    @property
    def uses_tool_choice(self) -> bool:
        """Whether episodes are played with it: for the policy to see, or for the reward to go by."""
        return self.env.tool_hint or self.reward.irrelevant_below > 0.0

    def to_yaml(self) -> str:
        """The resolved configuration; reading it back gives an equal Config."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False, allow_unicode=True)


def parse(values: dict[str, Any], source: str) -> Config:
    """Validate plain values from `source` (a file name, for the error). Raises ConfigError, one line."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_explain(error)}") from error


def load(path: Path, overrides: tuple[str, ...] = ()) -> Config:
    """Read a recipe and apply `a.b=value` overrides. Where `model.dtype` is auto, a run that has begun goes on in
    what it began with. Raises ConfigError, one line."""
    recipe = _read(path)
    values = copy.deepcopy(recipe)
    for override in overrides:
        _apply(values, override)
    try:
        config = parse(values, str(path))
    except ConfigError:
        if overrides:
            parse(recipe, str(path))  # the file itself is at fault
            return parse(values, "settings")
        raise
    held = config.run_path / "config.yaml"
    if _is_auto(values) and held.is_file():
        begun = (_read(held).get("model") or {}).get("dtype", config.model.dtype)
        return parse(values | {"model": values.get("model", {}) | {"dtype": begun}}, str(path))
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys and values, found {type(values).__name__}")
    return values


def _is_auto(values: dict[str, Any]) -> bool:
    model = values.get("model", {})
    return isinstance(model, dict) and model.get("dtype", "auto") == "auto"


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"{override!r}: write an override as section.key=value")
    *sections, leaf = key.split(".")
    node = values
    for name in sections:
        if node.get(name) is None:  # not there, or an optional section that is written out as null
            node[name] = {}
        node = node[name]
        if not isinstance(node, dict):
            raise ConfigError(f"{override!r}: {name} is a value, not a section")
    try:
        node[leaf] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{override!r}: {text!r} is not a value") from error


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    location = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        known = [*known_keys(), *Config.model_fields]
        near = difflib.get_close_matches(location, known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else "see `medrl plan` for the keys there are"
        return f"unknown key {location}; {hint}"
    if first["type"] == "missing":
        return f"{location} is missing"
    if first["type"] in ("model_type", "model_attributes_type"):
        return f"{location}{_shown(first['input'])}: it is a section; give one of its keys, {location}.…=value"
    if first["type"] in ("list_type", "tuple_type"):
        return f"{location}{_shown(first['input'])}: it is a list; write {location}='[…]', with commas between"
    if location == "name" and first["type"] == "string_pattern_mismatch":
        return f"name={first['input']!r}: use {Config.model_fields['name'].description}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{location}{_shown(first['input'])}: {message}" if location else message


def _shown(value: object) -> str:
    """`=value`; nothing for a section, or for an address, which may hold a password."""
    return "" if isinstance(value, dict) or "://" in str(value) else f"={value!r}"


def known_keys(section: type[BaseModel] = Config, prefix: str = "") -> list[str]:
    """Every dotted key of the configuration, in order."""
    keys: list[str] = []
    for name, info in section.model_fields.items():
        kinds = get_args(info.annotation) or (info.annotation,)  # an optional section is a union with None
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        keys += known_keys(inner[0], f"{prefix}{name}.") if inner else [prefix + name]
    return keys
