"""`medrl sweep`: file -> trials -> shared parts -> processes -> comparison -> reports.

    name/trials/<setting>-seed<k>/   a run directory, with log.txt beside what every run leaves
         shared/<part>/              what several trials start from
         jobs/                       what each process is told
         results.json report.html report.md charts/

What is done is known from the run directories alone, so the same command goes on where this one stopped.
"""

import math
from collections.abc import Sequence

from actors.placement import cluster_nodes
from actors.session import connected
from launch.rundir import difference, hold
from launch.sweeps.definition import SweepFile, read_sweep, settings_of
from launch.sweeps.jobs import Job, jobs_of
from launch.sweeps.outcomes import Outcome, read_outcome, require_measured
from launch.sweeps.pages import headline, write_reports
from launch.sweeps.plan import render_plan, trial_gpus, trials_at_once
from launch.sweeps.results import Results, compare
from launch.sweeps.shipped import find_sweep
from launch.sweeps.standing import Standing
from launch.sweeps.trials import Trial, trials_of
from launch.sweeps.tuning import TRIAL, Places, run_waves
from medrl.config import Config, load
from medrl.errors import ConfigError, InfrastructureError
from medrl.records import write_json


def plan_sweep(name: str) -> str:
    """What it would do and need. Raises ConfigError."""
    file = read_sweep(find_sweep(name))
    trials = trials_of(file)
    waves = jobs_of(file, trials)
    _require_metric(file, trials)
    return render_plan(file, trials, waves, trials_at_once(file, [trial.config for trial in trials]))


def run_sweep(name: str, command: Sequence[str] = TRIAL) -> Results:
    """Run what is not done, then write and print the comparison. `command` runs a job (`launch.sweeps.tuning`).

    Raises ConfigError, and InfrastructureError if trials failed, once the reports of the others are written.
    """
    file = read_sweep(find_sweep(name))
    trials = trials_of(file)
    waves = jobs_of(file, trials)
    _require_metric(file, trials)
    with hold(file.run_path, "run_dir"):
        _require_same(waves)
        standing = _run(file, trials, waves, command)
        return _report(file, trials, waves, standing)


def _run(file: SweepFile, trials: Sequence[Trial], waves: Sequence[Sequence[Job]], command: Sequence[str]) -> Standing:
    at_once = trials_at_once(file, [trial.config for trial in trials])
    parts = [job for wave in waves[:-1] for job in wave]
    standing = Standing(file.name, waves[-1], parts, at_once)
    if all(job.done for job in waves[-1]):
        return standing
    with connected():
        places = _places([trial.config for trial in trials], at_once)
        run_waves(waves, file.run_path, places, file.retries, standing, command)
    return standing


def _report(file: SweepFile, trials: Sequence[Trial], waves: Sequence[Sequence[Job]], standing: Standing) -> Results:
    outcomes: dict[str, dict[int, Outcome]] = {}
    for trial, job in zip(trials, waves[-1], strict=True):
        if job.done:
            outcomes.setdefault(trial.setting.name, {})[trial.seed] = read_outcome(job.path, file.metric, job.own)
    failed = {name: why for name, why in standing.failed.items() if any(name == job.name for job in waves[-1])}
    results = compare(file, settings_of(file), outcomes, failed)
    write_json(file.run_path / "results.json", results.as_json())
    page = write_reports(file.run_path, results, outcomes, [job for wave in waves[:-1] for job in wave])
    print("\n".join([*headline(results), "", f"report: {page}"]))
    if failed:
        raise InfrastructureError(
            f"{len(failed)} of {len(trials)} trials failed, {next(iter(failed))} with: {next(iter(failed.values()))}; "
            f"see log.txt in {file.run_path / 'trials'}/, and give the same command again once that is mended"
        )
    return results


def _places(configs: Sequence[Config], at_once: int) -> Places:
    nodes = cluster_nodes()
    per_node = math.ceil(at_once / len(nodes))
    cpus = math.floor(1000 * min(node.cpus for node in nodes) / per_node) / 1000
    return Places(at_once, per_node, cpus, trial_gpus(configs, nodes))


def _require_metric(file: SweepFile, trials: Sequence[Trial]) -> None:
    for trial in trials:
        require_measured(file.metric, trial.config)


def _require_same(waves: Sequence[Sequence[Job]]) -> None:
    """Raises ConfigError if what is there was made with other settings: it would be compared as if it were the same."""
    for job in (job for wave in waves for job in wave):
        held = job.path / "config.yaml"
        if held.exists() and (changed := difference(load(held), job.config)) is not None:
            raise ConfigError(
                f"{job.path} holds a run with other settings ({changed}): give the sweep another run_dir, or delete "
                "that folder"
            )
