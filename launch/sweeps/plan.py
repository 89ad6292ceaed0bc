"""`medrl sweep FILE --plan`: trials, what they share, work, memory. And how many trials the machine holds at once."""

from collections.abc import Iterable, Sequence

from actors.placement import described_nodes
from actors.seats import Node, gpus
from launch.architectures import planned_shape
from launch.footprint import ModelShape, disk_bytes, host_memory
from launch.preflight import memory_limit
from launch.sweeps.definition import SweepFile
from launch.sweeps.jobs import Job
from launch.sweeps.trials import Trial
from medrl.config import Config
from medrl.errors import ConfigError

_GRPO, _SFT, _EVAL = "grpo", "sft", ("eval_base", "eval_sft", "eval_rl")


def trials_at_once(file: SweepFile, configs: Sequence[Config]) -> int:
    """As the file says, or as many as GPUs, or cores and memory, hold. Raises ConfigError if it is not even one, or
    more than this machine's memory holds."""
    first = configs[0]
    if first.device == "cuda":
        nodes = described_nodes(first)
        wanted = trial_gpus(configs, nodes)
        return min(file.at_once or sum(int(node.gpus // wanted) for node in nodes), len(configs))
    (machine,) = described_nodes(first)
    needed, there = trial_memory(configs), memory_limit()
    at_once = min(file.at_once or max(1, min(int(machine.cpus), int(there // needed))), len(configs))
    if needed * at_once > there:
        raise ConfigError(
            f"{at_once} trials at once need about {needed * at_once / 1e9:.1f} GB of memory, the machine has "
            f"{there / 1e9:.1f} GB: lower at_once, or see `medrl plan`"
        )
    return at_once


def trial_gpus(configs: Iterable[Config], nodes: Iterable[Node]) -> int:
    """GPUs of the trial that needs most. Raises ConfigError if no node has as many."""
    wanted = max(map(gpus, configs))
    if wanted > (most := max(node.gpus for node in nodes)):
        raise ConfigError(
            f"a trial needs {wanted} GPUs and stays on one node, which has {most:g}: lower pool.engines, "
            "pool.tensor_parallel or learner.ranks"
        )
    return wanted


def trial_memory(configs: Iterable[Config]) -> float:
    """Bytes of RAM of the trial on CPU that needs most."""
    return max(sum(host_memory(config, shape).values()) for config, shape in _with_shapes(configs))


def _with_shapes(configs: Iterable[Config]) -> list[tuple[Config, ModelShape]]:
    """Each with its model's shape, which is read once."""
    shapes: dict[str, ModelShape] = {}
    for config in (configs := list(configs)):
        if config.model.path not in shapes:
            shapes[config.model.path] = planned_shape(config)[1]
    return [(config, shapes[config.model.path]) for config in configs]


def render_plan(file: SweepFile, trials: Sequence[Trial], waves: Sequence[Sequence[Job]], at_once: int) -> str:
    """As text. `at_once`: trials at a time."""
    parts = [job for wave in waves[:-1] for job in wave]
    sections = {
        "sweep": _sweep(file, trials),
        "settings": _settings(trials),
        "trials": _trials(waves[-1]),
        "shared parts": _parts(parts, waves) if parts else [("none", "no two trials agree in all that a stage needs")],
        "work": _work(waves),
        "machine": _machine([trial.config for trial in trials], at_once),
        f"written below {file.run_path}/": _written(trials, parts),
    }
    return "\n\n".join(_section(title, rows) for title, rows in sections.items()) + "\n"


def _section(title: str, rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join([title, *(f"  {name:26} {text}".rstrip() for name, text in rows)])


def _sweep(file: SweepFile, trials: Sequence[Trial]) -> Iterable[tuple[str, str]]:
    settings = list(dict.fromkeys(trial.setting.name for trial in trials))
    yield "name", file.name
    yield "recipe", f"{file.recipe}{''.join(f' {key}={value}' for key, value in file.settings.items())}"
    yield "trials", f"{len(settings)} settings × {len(file.seeds)} seeds = {len(trials)}"
    yield "compared", f"{file.metric}, with {settings[0]}"


def _settings(trials: Sequence[Trial]) -> Iterable[tuple[str, str]]:
    for setting in {trial.setting.name: trial.setting for trial in trials}.values():
        yield setting.name, ", ".join(f"{key}={value}" for key, value in setting.values.items()) or "as the recipe"


def _trials(trials: Sequence[Job]) -> Iterable[tuple[str, str]]:
    for job in trials:
        taken = f", after {job.takes.name}" if job.takes else ""
        yield job.name, f"{'done' if job.done else ', '.join(job.own)}{taken}"


def _parts(parts: Sequence[Job], waves: Sequence[Sequence[Job]]) -> Iterable[tuple[str, str]]:
    for part in parts:
        users = [job.name for wave in waves for job in wave if job.takes is not None and job.takes.name == part.name]
        yield part.name, f"{'done' if part.done else ', '.join(part.own)}; for {', '.join(users)}"


def _work(waves: Sequence[Sequence[Job]]) -> Iterable[tuple[str, str]]:
    """What the stages come to that are to be done, and what they would come to if nothing were shared."""
    jobs = [job for wave in waves for job in wave]
    yield "training episodes", _of(sum(map(_training, jobs)), sum(_training(job, whole=True) for job in waves[-1]))
    yield (
        "evaluation episodes",
        _of(sum(map(_evaluating, jobs)), sum(_evaluating(job, whole=True) for job in waves[-1])),
    )
    yield "SFT trajectories", _of(sum(map(_fine_tuning, jobs)), sum(_fine_tuning(job, whole=True) for job in waves[-1]))
    yield "syntheses", _of(sum("data" in job.own for job in jobs), len(waves[-1]))


def _of(count: int, alone: int) -> str:
    return f"{count:,}" + (f" ({alone:,} if nothing were shared)" if alone > count else "")


def _training(job: Job, *, whole: bool = False) -> int:
    grpo = job.config.grpo
    episodes = grpo.steps * (grpo.groups_per_step + grpo.refill) * grpo.group_size
    return episodes if _GRPO in (job.stages if whole else job.own) else 0


def _evaluating(job: Job, *, whole: bool = False) -> int:
    asked = min(job.config.eval.questions, job.config.kisa.heldout_questions)
    stages = job.stages if whole else job.own
    return sum(
        asked * (1 + (0 if stage == _EVAL[0] else job.config.eval.samples)) for stage in _EVAL if stage in stages
    )


def _fine_tuning(job: Job, *, whole: bool = False) -> int:
    sft = job.config.sft
    return sft.updates * sft.batch_trajectories if _SFT in (job.stages if whole else job.own) else 0


def _machine(configs: Sequence[Config], at_once: int) -> Iterable[tuple[str, str]]:
    nodes = described_nodes(configs[0])
    if configs[0].device == "cuda":
        yield "at once", f"{at_once} trials on {len(nodes)} nodes, {trial_gpus(configs, nodes)} GPUs each"
        return
    (machine,) = nodes
    needed = trial_memory(configs)
    yield "at once", f"{at_once} trial{'s' * (at_once != 1)}, {max(1, int(machine.cpus) // at_once)} cores each"
    yield "memory, a trial", f"{needed / 1e9:.2f} GB"
    yield "memory, all at once", f"{needed * at_once / 1e9:.2f} GB of {memory_limit() / 1e9:.1f} GB"


def _written(trials: Sequence[Trial], parts: Sequence[Job]) -> Iterable[tuple[str, str]]:
    configs = [trial.config for trial in trials] + [part.config for part in parts]
    most = sum(sum(disk_bytes(config, shape).values()) for config, shape in _with_shapes(configs))
    yield "trials/, shared/", f"a run directory each; at most {most / 1e9:.0f} GB together"
    yield "results.json", "all figures"
    yield "report.html, report.md", "tables, verdicts and charts"
