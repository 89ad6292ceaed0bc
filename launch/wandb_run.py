"""A run in Weights & Biases: metrics with their steps and summaries, tables of episodes, artifacts.

Offline unless WANDB_API_KEY is set, in the run directory. Metrics, the configuration, episodes and what
tracking.artifacts asks for go there: no code, no console output, no environment, no machine data, no address of an
endpoint. docs/wandb.md says what to make of it.
"""

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medrl.config import Config
from medrl.errors import ConfigError
from medrl.records import write_text
from medrl.types import RolloutGroup

SFT_STEP, TRAINER_STEP = "sft/step", "trainer/step"
EPISODES = "episodes"
ROWS = 64
"""Episodes in a table, at most; whole groups."""
FINISH_S = 600.0
"""How long a finished command waits for its last upload; without a network it would for ever."""
TRANSCRIPT = 2_000
"""Letters of an episode in it."""
COLUMNS = (
    "step question_id sample question gold answer ending reward task expert efficiency turns tool_calls tokens "
    "transcript"
).split()

_UP, _DOWN, _MEAN = "max,last", "min,last", "mean,last"
SUMMARIES: dict[str, str] = {
    "sft/loss": _DOWN,
    "reward/total/mean": _UP,
    "reward/task/mean": _UP,
    "reward/expert/mean": _UP,
    "reward/efficiency/mean": _DOWN,
    "rollout/pass_rate": _UP,
    "rollout/answered": _UP,
    "async/staleness_max": _UP,
    "actor/grad_norm": _UP,
    "actor/approx_kl": _UP,
    "actor/kl_ref": _UP,
    "rollout_corr/kl": _UP,
    "timing_s/step": _MEAN,
    "perf/learner_idle": _MEAN,
    "perf/engine_busy": _MEAN,
    "perf/worker_busy": _MEAN,
}
"""What the run's summary says of a key, under <key>.max and so on; of all others it says the last value."""
FAMILIES = "sft reward rollout tools async actor rollout_corr curriculum timing_s sync perf eval".split()
"""What keys begin with."""


class WandbLost(Exception):
    """wandb takes nothing more: its process was killed, say, or its disk is full."""


class WandbRun:
    """One run directory's run; what a resumed command logs joins what was there. Every method raises WandbLost."""

    def __init__(self, config: Config, run_path: Path) -> None:
        """Raises ConfigError if wandb cannot be begun: a server that does not answer, a key that it does not know."""
        folder = run_path.resolve() / "wandb"
        folder.mkdir(exist_ok=True)
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        os.environ["WANDB_DATA_DIR"] = str(folder)  # manifests of artifacts; in the home directory otherwise
        import wandb  # here: it takes a second and reads the lines above

        self._wandb = wandb
        self._name = config.name
        try:
            with _taking():
                self._run = self._begun(config, run_path, _run_id(folder / "run_id"))
                self._define()
        except WandbLost as error:
            raise ConfigError(
                f"wandb cannot be begun ({error}): take WANDB_API_KEY out of the environment, and the run is kept "
                "offline, or give tracking.wandb=false"
            ) from error

    def _begun(self, config: Config, run_path: Path, run_id: str) -> Any:
        return self._wandb.init(
            project=config.tracking.project,
            name=config.name,
            group=config.tracking.group,
            tags=list(config.tracking.tags),
            id=run_id,
            resume="allow",
            config=without_addresses(config.model_dump()),
            dir=str(run_path.resolve()),
            mode="online" if os.environ.get("WANDB_API_KEY") else "offline",
            settings=self._wandb.Settings(
                silent=True,
                console="off",
                save_code=False,
                disable_code=True,
                disable_git=True,
                host="",
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
                finish_timeout=FINISH_S,
                finish_timeout_raises=True,
            ),
        )

    def log(self, values: Mapping[str, float], *, step: int, stage: str) -> None:
        """Metrics of one step."""
        with _taking():
            self._run.log({**values, SFT_STEP if stage == "sft" else TRAINER_STEP: step})

    def log_episodes(self, groups: Sequence[RolloutGroup], step: int) -> None:
        """A table of the first groups' episodes."""
        with _taking():
            table = self._wandb.Table(columns=list(COLUMNS), data=list(rows(groups, step)))
            self._run.log({EPISODES: table, TRAINER_STEP: step})

    def log_files(self, kind: str, files: Iterable[Path]) -> None:
        """An artifact <run>-<kind> of type `kind`, with the files themselves, which must stay as they are."""
        artifact = self._wandb.Artifact(f"{self._name}-{kind}", type=kind)
        with _taking():
            for file in files:
                artifact.add_file(str(file), policy="immutable", skip_cache=True)
            self._run.log_artifact(artifact)

    def log_folder(self, name: str, folder: Path) -> None:
        """An artifact <run>-<name> of type model: places, sizes and checksums of files in `folder`, not the files."""
        artifact = self._wandb.Artifact(f"{self._name}-{name}", type="model")
        with _taking():
            for file in sorted(path for path in folder.iterdir() if path.is_file()):
                artifact.add_reference(file.resolve().as_uri())
            self._run.log_artifact(artifact)

    def close(self, *, failed: bool) -> None:
        """Flush and close. A run that `failed` is shown as such."""
        with _taking():
            self._run.finish(exit_code=int(failed))

    def _define(self) -> None:
        """Every key has the step of its stage. Families do not overlap: which of two globs wins is not settled."""
        self._run.define_metric(SFT_STEP, hidden=True)
        self._run.define_metric(TRAINER_STEP, hidden=True)
        for family in FAMILIES:
            self._run.define_metric(f"{family}/*", step_metric=_step_of(family))
        for key, summary in SUMMARIES.items():
            self._run.define_metric(key, step_metric=_step_of(key), summary=summary)
        self._run.define_metric(EPISODES, step_metric=TRAINER_STEP)


def rows(groups: Sequence[RolloutGroup], step: int) -> Iterable[list[Any]]:
    """Values of `COLUMNS`, an episode a row, of whole groups as long as `ROWS` holds them."""
    count = 0
    for group in groups:
        count += len(group.rollouts)
        if count > ROWS:
            return
        question = group.question
        for rollout in group.rollouts:
            reward = rollout.reward
            terms = [None] * 4 if reward is None else [reward.total, reward.task, reward.expert, reward.efficiency]
            told = "\n".join(
                f"{each.text}\n> {each.observation}" if each.observation else each.text for each in rollout.steps
            )
            yield [
                step,
                rollout.question_id,
                rollout.sample,
                question.text,
                question.answer,
                rollout.answer,
                str(rollout.ending),
                *terms,
                len(rollout.steps),
                rollout.num_tool_calls,
                len(rollout.token_ids),
                told if len(told) <= TRANSCRIPT else told[: TRANSCRIPT - 1] + "…",
            ]


def without_addresses(settings: Any) -> Any:
    """The settings but for `url`, and whatever else holds an address, in any section or list."""
    if isinstance(settings, list | tuple):
        return [without_addresses(value) for value in settings if not _is_address(value)]
    if not isinstance(settings, dict):
        return settings
    return {key: without_addresses(each) for key, each in settings.items() if key != "url" and not _is_address(each)}


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and "://" in value


@contextmanager
def _taking() -> Iterator[None]:
    """Raises WandbLost where wandb fails, or the pipe to its process."""
    from wandb.errors import Error
    from wandb.sdk.mailbox import HandleAbandonedError, MailboxClosedError

    try:
        yield
    except (Error, HandleAbandonedError, MailboxClosedError, OSError) as error:
        raise WandbLost(" ".join(str(error).split()) or type(error).__name__) from error


def _step_of(key: str) -> str:
    return SFT_STEP if key.partition("/")[0] == "sft" else TRAINER_STEP


def _run_id(path: Path) -> str:
    """One id a run directory, so that what a resumed run logs joins what was there."""
    if not path.exists():
        write_text(path, secrets.token_hex(4))
    return path.read_text(encoding="utf-8").strip()
