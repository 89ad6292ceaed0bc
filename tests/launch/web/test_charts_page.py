"""Charts of the dashboard in a real browser: of a long run, and of what is always 0."""

import json
from pathlib import Path

from playwright.sync_api import expect

from launch.web.dashboard import routes
from medrl.records import write_json
from tests.browser import browsing, needs_browser
from tests.serving import serving

pytestmark = needs_browser
STEPS = 1200
WAITS, LEARNS = 3.0, 1.0


def write_metrics(run: Path) -> Path:
    run.mkdir()
    lines = [
        {"stage": "grpo", "step": step, "time": float(step), "rollout/outages": 0.0}
        | {"timing_s/wait": WAITS, "timing_s/learn": LEARNS, "timing_s/step": WAITS + LEARNS}
        for step in range(STEPS)
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


def test_a_long_run_is_drawn_in_few_columns_of_the_right_height(tmp_path: Path) -> None:
    with serving(routes(write_metrics(tmp_path / "run"))) as address, browsing() as page:
        page.goto(f"{address}/?tab=time")
        columns = page.locator('figure[data-chart="A step\'s time, seconds"] > svg rect.bar')
        expect(columns.first).to_be_visible()
        heights = columns.evaluate_all("all => all.map((each) => Number(each.getAttribute('height')))")
        assert len(heights) == 2 * 150
        assert max(heights[:150]) - min(heights[:150]) < 0.2  # the last, of fewer steps, is as high
        assert abs(heights[0] - WAITS / LEARNS * heights[150]) < 0.5


def test_what_is_always_0_has_no_axis_below_it(tmp_path: Path) -> None:
    with serving(routes(write_metrics(tmp_path / "run"))) as address, browsing() as page:
        page.goto(f"{address}/?tab=time")
        axis = page.locator("figure[data-chart='rollout/outages'] > svg text")
        expect(axis.first).to_be_visible()
        labels = axis.all_text_contents()
        assert labels[0] == "0" and not any(label.startswith("-") for label in labels)


def test_a_finished_run_says_so(tmp_path: Path) -> None:
    run = write_metrics(tmp_path / "run")
    write_json(run / "stages.json", {"grpo": {"wall_s": 4.0}})
    with serving(routes(run)) as address, browsing() as page:
        page.goto(address)
        expect(page.locator("#standing")).to_contain_text("grpo is done")
        write_json(run / "stages.json", {"grpo": {"wall_s": 4.0}, "report": {"wall_s": 1.0}})
        expect(page.locator("#standing")).to_contain_text("all stages are done")
