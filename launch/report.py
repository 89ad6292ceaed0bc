"""report.html: one page that opens anywhere. No script, nothing fetched, readable in light and dark."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from launch.charts import interval_chart, line_chart, stacked_chart
from launch.durations import duration
from launch.episode_page import choose_pairs, render_pair, tally
from launch.page import render_page
from launch.run_files import Line, column, keys_below, read_metrics, read_questions, read_rollouts, read_summary
from medrl.errors import DataError
from medrl.records import write_text

MODELS = {"base": "Base", "sft": "SFT", "rl": "SFT + RL"}
MODES = {"greedy": "greedy", "sampled": "sampled"}
GRPO = "grpo"


def write_report(run_path: Path) -> Path:
    """Write report.html from summary.json, metrics.jsonl, trajectories/ and data/; returns its path.

    Raises DataError naming what is missing.
    """
    summary, lines = read_summary(run_path), read_metrics(run_path)
    before, after = read_rollouts(run_path, "sft"), read_rollouts(run_path, "rl")
    body = "".join(
        [
            f"<h1>{escape(run_path.name)}</h1>",
            _headline(summary),
            "<h2>Training</h2>" + _curves(lines),
            "<h2>Cost</h2>" + _cost(summary),
            "<h2>Episodes, before and after</h2>" + _episodes(run_path, before, after),
        ]
    )
    path = run_path / "report.html"
    write_text(path, render_page(f"{run_path.name}: medrl", body))
    return path


def _headline(summary: Mapping[str, Any]) -> str:
    try:
        rows = [_row(name, summary[key]) for key, name in MODELS.items()]
        gain = summary["rl_minus_sft"]
        cells = "".join(f"<td>{_interval(gain[mode]['mean'], gain[mode]['ci95'], sign='+')}</td>" for mode in MODES)
        counts = summary["counts"]
        asked = summary["rl"]["n"]
        shown = [
            (f"{name}, {mode}", entry["pass_at_1"], *entry["ci95"])
            for key, name in MODELS.items()
            for mode in MODES
            if (entry := summary[key][mode]) is not None
        ]
    except KeyError as error:
        raise DataError(f"summary.json: {error.args[0]} is missing: another version of medrl wrote it") from error
    return (
        f'<p class="lead">{_verdict(gain["sampled"])}</p>'
        '<div class="scroll"><table><thead><tr><th scope="col">model</th><th scope="col">pass@1, greedy</th>'
        '<th scope="col">pass@1, sampled</th><th scope="col">tool calls</th><th scope="col">questions</th></tr></thead>'
        f'<tbody>{"".join(rows)}<tr class="difference"><th scope="row">RL − SFT</th>{cells}<td></td><td></td></tr>'
        "</tbody></table></div>"
        f'<p class="quiet">In brackets: 95% intervals. {asked} held-out questions, on diseases and genes kept out of '
        f"training. Trained on {counts['sft_trajectories']:,} guided trajectories and {counts['rl_trajectories']:,} "
        f"episodes over {counts['rl_steps']:,} steps, from {counts['train_questions']:,} questions.</p>"
        + interval_chart("Share of held-out questions answered correctly", shown)
    )


def _verdict(gain: Mapping[str, Any]) -> str:
    low, high = gain["ci95"]
    by = f"{gain['mean']:+.3f} [{low:+.3f}, {high:+.3f}]"
    if low > 0:
        return f"RL improved on SFT: sampled pass@1 {by}."
    if high < 0:
        return f"RL made the SFT model worse: sampled pass@1 {by}."
    return f"RL and SFT cannot be told apart on these questions: sampled pass@1 {by}."


def _row(name: str, entry: Mapping[str, Any]) -> str:
    cells = "".join(
        f"<td>{_interval(entry[mode]['pass_at_1'], entry[mode]['ci95']) if entry[mode] else '–'}</td>" for mode in MODES
    )
    return f'<tr><th scope="row">{name}</th>{cells}<td>{entry["mean_tool_calls"]:.2f}</td><td>{entry["n"]:,}</td></tr>'


def _interval(value: float, ci95: Sequence[float], sign: str = "") -> str:
    low, high = ci95
    return f"{value:{sign}.3f} <small>[{low:{sign}.3f}, {high:{sign}.3f}]</small>"


def _curves(lines: Sequence[Line]) -> str:
    def chart(title: str, keys: Mapping[str, str], y: str, stage: str = GRPO, zero: bool = True) -> str:
        series = {name: column(lines, stage, key) for name, key in keys.items()}
        return line_chart(title, series, x="update" if stage == "sft" else "step", y=y, zero=zero)

    def by_hops(kind: str) -> dict[str, list[tuple[float, float | None]]]:
        prefix = f"curriculum/{kind}/"
        return {f"{key.removeprefix(prefix)} hops": column(lines, GRPO, key) for key in keys_below(lines, GRPO, prefix)}

    terms = {name: f"reward/{name}/mean" for name in ("total", "task", "expert")}
    terms["efficiency penalty"] = "reward/efficiency/mean"
    parts = ("wait", "learn", "sync", "checkpoint")
    timing = {name: column(lines, GRPO, f"timing_s/{name}") for name in parts}
    charts = [
        chart("Fine-tuning loss", {"loss": "sft/loss"}, "nats a token", "sft"),
        chart("Reward by term", terms, "mean over episodes"),
        chart(
            "Answered, and answered correctly",
            {"answered": "rollout/answered", "pass rate": "rollout/pass_rate"},
            "share",
        ),
        chart("Turns and tool calls", {"turns": "rollout/turns", "tool calls": "rollout/tool_calls"}, "mean, episode"),
        chart("Groups with equal rewards", {"share": "rollout/constant_groups"}, "share of groups"),
        stacked_chart("Curriculum: what is drawn", by_hops("share"), x="step", y="share of draws"),
        line_chart("Curriculum: believed pass rates", by_hops("pass_rate"), x="step", y="pass rate"),
        chart("Entropy of the policy", {"entropy": "actor/entropy"}, "nats a token"),
        chart("Gradient norm", {"norm": "actor/grad_norm"}, "before clipping"),
        chart("Sampler against learner", {"difference": "rollout_corr/logp_diff_mean"}, "log-prob, nats"),
        stacked_chart("Where a step's time goes", timing, x="step", y="seconds"),
    ]
    return f'<div class="charts">{"".join(charts)}</div>'


def _cost(summary: Mapping[str, Any]) -> str:
    stages = summary["wall_s"]
    rows = "".join(
        f'<tr><th scope="row">{escape(stage)}</th><td>{duration(time_s)}</td></tr>' for stage, time_s in stages.items()
    )
    together = duration(sum(stages.values()))
    return (
        '<div class="scroll"><table><thead><tr><th scope="col">stage</th><th scope="col">wall time</th></tr></thead>'
        f'<tbody>{rows}<tr class="difference"><th scope="row">together</th><td>{together}</td></tr>'
        f"</tbody></table></div><p>Peak memory: {summary['peak_rss_gb']:.1f} GB "
        '<span class="quiet">(all processes; memory that several share is counted once)</span></p>'
    )


def _episodes(run_path: Path, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    questions = read_questions(run_path)
    chosen = choose_pairs(before, after)
    if unknown := [each for each in chosen if each not in questions]:
        raise DataError(f"{run_path}: question {unknown[0]} has episodes, but is not in data/")
    counts = ", ".join(f"{count} {name}" for name, count in tally(before, after))
    return (
        f"<p>The same held-out questions, played greedily by both models: {counts}. Shown are the first of each kind "
        "in turn, in the order of the evaluation.</p>"
        + "".join(render_pair(questions[each], before[each], after[each]) for each in chosen)
    )
