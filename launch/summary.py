"""summary.json: the run's headline figures with their intervals, from what the stages left."""

from pathlib import Path
from typing import Any

import numpy as np

from kisa.dataset import Dataset
from launch.eval import MODES, Evaluation
from launch.run_files import read_summary
from launch.rundir import RunDirectory
from medrl.config import Config
from medrl.evaluation import bootstrap_mean, mcnemar, paired_difference, pass_at_k, wilson
from medrl.records import write_json
from medrl.seeds import derive_seed


def write_summary(config: Config, run_dir: RunDirectory, dataset: Dataset) -> dict[str, Any]:
    """Write and return the summary. Intervals are 95%: Wilson for greedy, bootstrap over questions elsewhere."""
    rng = np.random.default_rng(derive_seed(config.seed, "bootstrap"))
    resamples = config.eval.bootstrap
    parts = {part: Evaluation(**_without_cost(run_dir.stages[f"eval_{part}"])) for part in ("base", "sft", "rl")}
    stages = run_dir.stages
    summary = {
        **{part: entry(evaluation, config.eval.samples, rng, resamples) for part, evaluation in parts.items()},
        "rl_minus_sft": difference(parts["rl"], parts["sft"], rng, resamples),
        "wall_s": run_dir.wall_s,
        "peak_rss_gb": max(stage["peak_rss_gb"] for stage in stages.values()),
        "counts": {
            "train_questions": len(dataset.train),
            "heldout_questions": len(dataset.heldout),
            "sft_trajectories": stages["sft"]["trajectories"],
            "rl_steps": stages["grpo"]["steps"],
            "rl_trajectories": stages["grpo"]["episodes"],
        },
    }
    write_json(run_dir.path / "summary.json", summary)
    return summary


def entry(evaluation: Evaluation, samples: int, rng: np.random.Generator, resamples: int) -> dict[str, Any]:
    """One model's line of the table; with pass@k for every k up to the `samples` that a question has."""
    passed, n = int(sum(evaluation.greedy)), len(evaluation.greedy)
    sampled = None
    if evaluation.sampled is not None:
        mean, low, high = bootstrap_mean(evaluation.sampled, rng=rng, n=resamples)
        sampled = {"pass_at_1": mean, "ci95": [low, high]}
        correct = [round(rate * samples) for rate in evaluation.sampled]
        for k in range(2, samples + 1):
            sampled[f"pass_at_{k}"] = float(np.mean([pass_at_k(samples, count, k) for count in correct]))
    return {
        "greedy": {"pass_at_1": passed / n, "ci95": list(wilson(passed, n))},
        "sampled": sampled,
        "mean_tool_calls": evaluation.mean_tool_calls,
        "n": n,
    }


def difference(after: Evaluation, before: Evaluation, rng: np.random.Generator, resamples: int) -> dict[str, Any]:
    """Paired differences `after` - `before`, bootstrapped over questions; for greedy also McNemar's p-value."""
    result: dict[str, Any] = {}
    for mode in MODES:
        mean, low, high = paired_difference(getattr(after, mode), getattr(before, mode), rng=rng, n=resamples)
        result[mode] = {"mean": mean, "ci95": [low, high]}
    result["greedy"]["p"] = mcnemar([rate == 1 for rate in after.greedy], [rate == 1 for rate in before.greedy])
    return result


def headline(summary: dict[str, Any]) -> str:
    """The table a person reads first."""
    lines = [f"{'':6}{'greedy pass@1':>24}{'sampled pass@1':>24}{'tool calls':>12}   n"]
    for part in ("base", "sft", "rl"):
        row = summary[part]
        shown = (_cell(row[mode]["pass_at_1"], row[mode]["ci95"]) if row[mode] else "not measured" for mode in MODES)
        cells = "".join(f"{each:>24}" for each in shown)
        lines.append(f"{part:6}{cells}{row['mean_tool_calls']:>12.2f}{row['n']:>6}")
    gain = summary["rl_minus_sft"]
    cells = "".join(f"{_cell(gain[mode]['mean'], gain[mode]['ci95'], sign='+'):>24}" for mode in MODES)
    lines.append(f"{'rl-sft':6}{cells}")
    return "\n".join(lines)


def reminder(run_path: Path) -> str:
    """The table and the report of a run that was evaluated before; for one that was not, how to do that."""
    if not (run_path / "summary.json").exists():
        return "`medrl eval`, with the same recipe and settings, plays the held-out questions and writes the report"
    return f"{headline(read_summary(run_path))}\n\nreport: {run_path / 'report.html'}"


def _cell(value: float, interval: list[float], sign: str = "") -> str:
    low, high = interval
    return f"{value:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def _without_cost(stage: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in stage.items() if key not in ("wall_s", "peak_rss_gb")}
