"""quality.html: whether a dataset keeps its promises, what it is made of, and some of its questions."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from kisa.gates import Gate, QualityReport
from launch.charts import count_chart
from launch.page import render_page
from medrl.errors import DataError
from medrl.types import Question

_CHARTS = {
    "hops": "Hops",
    "specialties": "Specialties",
    "answers": "Kinds of answer",
    "tasks": "Tasks",
    "branches": "Branches: hops narrowed by a further finding",
    "tool_calls": "Tool calls of an episode",
    "tools": "Calls by tool",
}


def render_quality(name: str, report: QualityReport, questions: Sequence[Question]) -> str:
    """The page, as HTML. `questions`: those to show as examples."""
    made = report.composition
    failed = [gate.name for gate in report.gates if not gate.passed]
    verdict = f"Failed: {'; '.join(failed)}." if failed else f"All {len(report.gates)} gates passed."
    lead = (
        f"{made['questions']:,} questions, {made['trajectories']:,} trajectories with {made['tool_calls_mean']:.2f} "
        f"tool calls on average. {verdict}"
    )
    rows = "".join(map(_row, report.gates))
    head = "<tr><th>gate</th><th>value</th><th>must be</th><th>n</th><th>passed</th></tr>"
    charts = "".join(_chart(title, made[key], key) for key, title in _CHARTS.items())
    examples = "".join(map(_example, questions))
    body = (
        f'<h1>{escape(name)}</h1><p class="lead">{escape(lead)}</p>'
        f'<h2>Gates</h2><div class="scroll"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'
        f"{_habits(made['habits'])}{_corruption(made['corruption'])}"
        f'<h2>What it is made of</h2><div class="charts">{charts}</div><h2>Examples</h2>{examples}'
    )
    return render_page(f"{name}: quality", body)


def _row(gate: Gate) -> str:
    mark = '<td class="good">✓ yes</td>' if gate.passed else '<td class="bad">✗ no</td>'
    bound = f"{'≥' if gate.at_least else '≤'} {gate.bound:g}"
    first = ""
    if gate.failed and not gate.passed:
        first = "; ".join(f"{key}: {why}" for key, why in list(gate.failed.items())[:3])
        first = f"<br><small>{escape(first)}</small>"
    cells = f"<td>{gate.value:.4g}</td><td>{bound}</td><td>{gate.n:,}</td>{mark}"
    return f"<tr><th>{escape(gate.name)}{first}</th>{cells}</tr>"


def _habits(habits: Mapping[str, Mapping[str, float]]) -> str:
    """What the episodes do beside what the paper sees in its exploration data."""
    names = {"medical_first": "begin with a medical tool", "switching": "switch", "recovery": "recover with another"}
    head = "".join(f"<th>{escape(each)}</th>" for each in ("episodes that", *habits))
    rows = "".join(
        f"<tr><th>{shown}</th>{''.join(f'<td>{each[key]:.0%}</td>' for each in habits.values())}</tr>"
        for key, shown in names.items()
    )
    counts = "; ".join(f"{each['episodes']:,} {name}" for name, each in habits.items() if "episodes" in each)
    return (
        f"<h2>What the teacher does</h2><p class='quiet'>{escape(counts)}</p>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _corruption(counted: Mapping[str, Any]) -> str:
    """What was spoilt, and what became of it."""
    kinds = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in counted["kinds"].items())
    return (
        f"<p>Of {counted['outputs']:,} outputs of tools {counted['corrupted']:,} ({counted['share']:.1%}) were spoilt "
        f"on purpose ({escape(kinds)}); from {counted['recovered']:.0%} of these the teacher "
        f"recovered, from {counted['by_the_same_call']:,} by the same call again, from {counted['by_another_call']:,} "
        "by another.</p>"
        if counted["corrupted"]
        else ""
    )


def _chart(title: str, counts: Mapping[str, int], key: str) -> str:
    return count_chart(title, counts, {"tool_calls": "episodes", "tools": "calls"}.get(key, "questions"))


def _example(question: Question) -> str:
    steps = " → ".join(escape(entity.name) for entity in question.entities)
    branches = "".join(
        f"<p class='quiet'>{escape(branch.subject.name)} → {escape(branch.object.name)}</p>"
        for branch in question.branches
    )
    return (
        f'<div class="question"><h3>{escape(question.text)}</h3>'
        f'<p class="quiet">{question.hops} hops, {escape(question.specialty)}, {escape(question.split)}</p>'
        f"<p>{escape(question.answer)}</p><p class='quiet'>{steps}</p>{branches}</div>"
    )


def examples(questions: Sequence[Question]) -> list[Question]:
    """Two questions of each number of hops, the first there are."""
    by_hops: dict[int, list[Question]] = {}
    for question in questions:
        by_hops.setdefault(question.hops, []).append(question)
    return [question for hops in sorted(by_hops) for question in by_hops[hops][:2]]


def summary_lines(report: QualityReport) -> str:
    """The gates as text, one a line."""
    return "\n".join(
        f"{'passed' if gate.passed else 'FAILED':8}{gate.value:10.4g}  "
        f"{'>=' if gate.at_least else '<='} {gate.bound:<6g} {gate.name}"
        for gate in report.gates
    )


def quality_reminder(folder: Path) -> str:
    """The verdict that quality.json in `folder` keeps, and where its page is. Raises DataError."""
    path = folder / "quality.json"
    try:
        gates = json.loads(path.read_text(encoding="utf-8"))["gates"]
        failed = [str(gate["gate"]) for gate in gates if not gate["passed"]]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"{path}: unreadable ({error.__class__.__name__}); give a new run_dir to make it again"
        ) from error
    verdict = f"FAILED: {'; '.join(failed)}" if failed else f"all {len(gates)} gates passed"
    return f"quality: {verdict}\n\nreport: {folder / 'quality.html'}"
