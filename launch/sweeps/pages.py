"""report.html and report.md of a sweep: what each setting came to, which differences are resolved, and the curves."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from launch.charts import Band, band_chart, interval_chart, standalone
from launch.durations import duration
from launch.page import render_page
from launch.sweeps.jobs import Job, finished_stages
from launch.sweeps.outcomes import Outcome, is_pass_rate
from launch.sweeps.results import Difference, Outcomes, Results, Row
from medrl.records import write_text
from medrl.replication import Estimate

CHARTS = "charts"
_METHODS = {
    "t": "t interval over the seeds",
    "bootstrap": "bootstrap of seeds, then questions",
}


def write_reports(folder: Path, results: Results, outcomes: Outcomes, parts: Sequence[Job]) -> Path:
    """Write both, and the charts as SVG files for the Markdown; returns the HTML's path."""
    charts = _charts(results, outcomes)
    for name, figure in charts.items():
        write_text(folder / CHARTS / f"{name}.svg", standalone(figure))
    write_text(folder / "report.md", _markdown(results, outcomes, charts, parts))
    page = folder / "report.html"
    write_text(page, render_page(f"{results.file.name}: medrl sweep", _html(results, outcomes, charts, parts)))
    return page


def headline(results: Results) -> list[str]:
    """The verdicts, a line each."""
    if not results.differences:
        return ["nothing to compare: fewer than two settings have finished trials with one seed"]
    return [each.verdict for each in results.differences]


def _charts(results: Results, outcomes: Outcomes) -> dict[str, str]:
    """By file name; none without something to show."""
    found = {}
    metric = results.file.metric
    measured = [(row, row.estimate) for row in results.rows if row.estimate is not None]
    if measured:
        rows = [(row.setting.name, each.mean, *shown_interval(each, metric)) for row, each in measured]
        span = (0.0, 1.0) if is_pass_rate(metric) else _span(rows)
        found["settings"] = interval_chart(f"{metric}, mean over seeds", rows, span)
    if results.differences:
        rows = [(each.setting.name, each.estimate.mean, *each.estimate.interval) for each in results.differences]
        found["differences"] = interval_chart(f"Difference to {results.baseline.name}", rows, _span(rows))
    for row in results.rows:
        if band := _band(outcomes.get(row.setting.name, {}).values()):
            title = f"{row.setting.name}: training pass rate"
            found[f"curve-{row.setting.name}"] = band_chart(title, band, x="GRPO step", y="share of episodes")
    return found


def _span(rows: Sequence[tuple[str, float, float, float]]) -> tuple[float, float]:
    """What holds all of them, and 0."""
    return min(0.0, *(low for _, _, low, _ in rows)), max(0.0, *(high for _, _, _, high in rows))


def _band(outcomes: Iterable[Outcome]) -> list[Band]:
    """At each step that all seeds have: their mean, lowest and highest."""
    curves = [dict(outcome.curve) for outcome in outcomes]
    steps = sorted(set.intersection(*(set(curve) for curve in curves))) if curves else []
    return [
        (step, sum(values) / len(values), min(values), max(values))
        for step in steps
        for values in [[curve[step] for curve in curves]]
    ]


def shown_interval(found: Estimate, metric: str) -> tuple[float, float]:
    """The interval of a setting by itself; that of a pass rate ends at 0 and 1."""
    low, high = found.interval
    return (max(0.0, low), min(1.0, high)) if is_pass_rate(metric) else (low, high)


def _header(results: Results) -> tuple[list[str], list[list[str]]]:
    metric = results.file.metric
    names = ["setting", "in place of the recipe's", f"{metric}", "95% interval", "by seed", "interval by"]
    return names, [_setting_cells(row, metric) for row in results.rows]


def _setting_cells(row: Row, metric: str) -> list[str]:
    values = ", ".join(f"{key}={value}" for key, value in row.setting.values.items()) or "nothing"
    if row.estimate is None:
        return [row.setting.name, values, "no trial finished", "", "", ""]
    low, high = shown_interval(row.estimate, metric)
    by_seed = ", ".join(f"{seed}: {value:.3f}" for seed, value in row.seeds.items())
    method = _METHODS[row.estimate.used]
    return [row.setting.name, values, f"{row.estimate.mean:.3f}", f"[{low:.3f}, {high:.3f}]", by_seed, method]


def _difference_cells(each: Difference) -> list[str]:
    found = each.estimate
    low, high = found.interval
    t = "–" if found.t is None else f"[{found.t[0]:+.3f}, {found.t[1]:+.3f}]"
    return [
        each.setting.name,
        f"{found.mean:+.3f}",
        f"[{low:+.3f}, {high:+.3f}]",
        t,
        f"[{found.bootstrap[0]:+.3f}, {found.bootstrap[1]:+.3f}]",
        f"{each.p:.3f}",
        str(len(each.seeds)),
        "questions" if each.paired else "seeds",
    ]


_DIFFERENCE_NAMES = [
    "setting",
    "difference",
    "95%, used",
    "t over seeds",
    "bootstrap",
    "p (Holm)",
    "seeds",
    "paired by",
]


def _notes(results: Results) -> list[str]:
    file = results.file
    notes = [
        f"Settings are compared with {results.baseline.name}, seed by seed; within a seed question by question where "
        "both were asked the same ones.",
        "Two intervals are made of each mean: Student's t over the means of the seeds, and a bootstrap that draws "
        "seeds anew, then the questions of each. The wider one is used. With few seeds the bootstrap cannot see how "
        "much seeds vary beyond those that were run, and the t interval is too narrow where they happen to agree.",
        "p-values are Holm's, over all differences of this sweep. A difference is resolved if its interval leaves 0 "
        "out and p is below 0.05. Seeds needed are for a power of 0.8.",
    ]
    if not is_pass_rate(file.metric):
        notes.append(f"{file.metric} is no mean over questions, so that its intervals know of seeds alone.")
    return notes


def _cost(outcomes: Outcomes, parts: Sequence[Job]) -> str:
    trials = [outcome.wall_s for by_seed in outcomes.values() for outcome in by_seed.values()]
    mean = f", {duration(sum(trials) / len(trials))} each" if trials else ""
    together = sum(finished_stages(part.path).get(stage, {}).get("wall_s", 0.0) for part in parts for stage in part.own)
    shared = f", after {len(parts)} shared part{'s' * (len(parts) != 1)} of {duration(together)}" if parts else ""
    return f"{len(trials)} trials finished, {duration(sum(trials))} of their own stages{mean}{shared}."


def _html(results: Results, outcomes: Outcomes, charts: Mapping[str, str], parts: Sequence[Job]) -> str:
    names, rows = _header(results)
    verdicts = "".join(f'<p class="lead">{escape(line)}</p>' for line in headline(results))
    body = [
        f"<h1>{escape(results.file.name)}</h1>",
        f'<p class="quiet">{escape(_about(results))}</p>{verdicts}',
        "<h2>Settings</h2>",
        _html_table(names, rows),
        charts.get("settings", ""),
    ]
    if results.differences:
        body += [
            f"<h2>Differences to {escape(results.baseline.name)}</h2>",
            _html_table(_DIFFERENCE_NAMES, [_difference_cells(each) for each in results.differences]),
            charts["differences"],
        ]
    body += [f'<p class="quiet">{escape(note)}</p>' for note in _notes(results)]
    if curves := [figure for name, figure in charts.items() if name.startswith("curve-")]:
        body.append(
            f'<h2>Training</h2><div class="charts">{"".join(curves)}</div>'
            '<p class="quiet">Episodes of each GRPO step that were answered correctly: mean over seeds, and from the '
            "lowest to the highest seed.</p>"
        )
    if results.failed:
        body += [
            "<h2>Failed trials</h2>",
            _html_table(["trial", "last line of its log.txt"], [[name, why] for name, why in results.failed.items()]),
        ]
    body.append(f"<h2>Cost</h2><p>{escape(_cost(outcomes, parts))}</p>")
    return "".join(body)


def _about(results: Results) -> str:
    file = results.file
    kept = "".join(f", {key}={value}" for key, value in file.settings.items())
    seeds = ", ".join(map(str, file.seeds))
    return f"Recipe {Path(file.recipe).stem}{kept}. {len(results.rows)} settings, seeds {seeds}."


def _html_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _markdown(results: Results, outcomes: Outcomes, charts: Mapping[str, str], parts: Sequence[Job]) -> str:
    names, rows = _header(results)
    lines = [f"# {results.file.name}", _plain(_about(results)), *(f"- {_plain(line)}" for line in headline(results))]
    blocks = ["\n".join(lines[:1]), lines[1], "\n".join(lines[2:]), "## Settings", _markdown_table(names, rows)]
    blocks += _pictures(["settings"], charts)
    if results.differences:
        blocks += [
            f"## Differences to {results.baseline.name}",
            _markdown_table(_DIFFERENCE_NAMES, [_difference_cells(each) for each in results.differences]),
            *_pictures(["differences"], charts),
        ]
    blocks += _notes(results)
    if curves := [name for name in charts if name.startswith("curve-")]:
        blocks += [
            "## Training",
            "Mean over seeds, and from the lowest to the highest seed.",
            *_pictures(curves, charts),
        ]
    if results.failed:
        blocks += [
            "## Failed trials",
            _markdown_table(
                ["trial", "last line of its log.txt"], [[name, why] for name, why in results.failed.items()]
            ),
        ]
    blocks += ["## Cost", _cost(outcomes, parts)]
    return "\n\n".join(blocks) + "\n"


def _pictures(names: Sequence[str], charts: Mapping[str, str]) -> list[str]:
    return [f"![{name}]({CHARTS}/{name}.svg)" for name in names if name in charts]


def _markdown_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: what failed may hold anything."""
    return re.sub(r"([\\`*_<>\[\]|])", r"\\\1", text.replace("\n", " "))
