import random
from pathlib import Path

import pytest

from launch.sweeps.definition import Setting, SweepFile
from launch.sweeps.outcomes import Outcome
from launch.sweeps.pages import headline, write_reports
from launch.sweeps.results import Outcomes, Results, compare
from launch.sweeps.standing import Standing
from medrl.replication import holm
from tests.browser import browsing, needs_browser

HOSTILE = "<script>alert(1)</script> | `x` *y*"


def outcome(seed: int, gain: float, noise: int, questions: int = 40, ids: str = "q") -> Outcome:
    skills, luck = random.Random(seed), random.Random(f"{seed}-{noise}")
    values = []
    for _ in range(questions):
        skill = skills.uniform(0.2, 0.5) + gain
        values.append(sum(luck.random() < skill for _ in range(2)) / 2)
    curve = tuple((float(step), min(1.0, 0.3 + gain * step / 4 + 0.02 * seed)) for step in range(5))
    return Outcome(tuple(values), tuple(f"{ids}{seed}-{index}" for index in range(questions)), curve, 60.0)


def compared(
    gains: dict[str, float], seeds: list[int], metric: str = "rl.sampled.pass_at_1"
) -> tuple[Results, Outcomes]:
    file = SweepFile(
        name="s", recipe="quickstart", cases={name: {} for name in gains}, seeds=seeds, metric=metric, bootstrap=1000
    )
    settings = [Setting(name, {}) for name in gains]
    outcomes = {
        name: {seed: outcome(seed, gain, noise) for seed in seeds} for noise, (name, gain) in enumerate(gains.items())
    }
    return compare(file, settings, outcomes, {"broken-seed0": HOSTILE}), outcomes


def test_a_verdict_says_which_is_better_by_how_much_or_what_it_would_take() -> None:
    results, _ = compared({"base": 0.0, "good": 0.4, "same": 0.0, "bad": -0.19}, [0, 1, 2])
    by_name = {each.setting.name: each for each in results.differences}
    assert by_name["good"].resolved
    low, high = by_name["good"].estimate.interval
    said = f"resolved: good is better than base by {by_name['good'].estimate.mean:.3f} [{low:.3f}, {high:.3f}]"
    assert by_name["good"].verdict == said
    assert not by_name["same"].resolved
    assert by_name["same"].verdict.startswith("not resolved: same against base, as the interval holds 0; ")
    assert "seeds" in by_name["same"].verdict
    bad = by_name["bad"]
    assert bad.estimate.mean < 0 and ("worse" in bad.verdict) == bad.resolved
    assert [each.p for each in results.differences] == holm([each.estimate.p for each in results.differences])


def test_several_comparisons_are_held_against_all_of_them() -> None:
    gains = {"base": 0.0, "good": 0.22} | {f"same{index}": 0.0 for index in range(30)}
    alone, _ = compared({name: gains[name] for name in ("base", "good")}, [0, 1, 2])
    crowd, _ = compared(gains, [0, 1, 2])
    first, among = alone.differences[0], crowd.differences[0]
    assert first.estimate == among.estimate and first.resolved
    assert not among.resolved and "after Holm's correction" in among.verdict
    assert among.p == pytest.approx(min(1.0, 31 * first.p))


def test_one_seed_resolves_nothing_however_large_the_difference() -> None:
    results, _ = compared({"base": 0.0, "good": 0.5}, [0])
    (difference,) = results.differences
    assert difference.estimate.interval[0] > 0.2 and not difference.resolved
    assert "one seed does not show how much seeds differ" in difference.verdict


def test_pairs_are_of_questions_only_where_they_are_the_same() -> None:
    file = SweepFile(name="s", recipe="quickstart", cases={"a": {}, "b": {}}, seeds=[0, 1])
    settings = [Setting("a", {}), Setting("b", {})]
    same = {name: {seed: outcome(seed, 0.1, noise) for seed in (0, 1)} for noise, name in enumerate("ab")}
    apart = same | {"b": {seed: outcome(seed, 0.1, 1, ids="other") for seed in (0, 1)}}
    paired, unpaired = (compare(file, settings, each, {}).differences[0] for each in (same, apart))
    assert paired.paired and not unpaired.paired
    assert paired.estimate.mean == pytest.approx(unpaired.estimate.mean)
    width = [high - low for low, high in (paired.estimate.bootstrap, unpaired.estimate.bootstrap)]
    assert width[0] < width[1]


def test_seeds_that_one_side_lacks_are_left_out_of_the_difference() -> None:
    file = SweepFile(name="s", recipe="quickstart", cases={"a": {}, "b": {}, "c": {}}, seeds=[0, 1, 2])
    outcomes = {
        "a": {seed: outcome(seed, 0.0, 0) for seed in (0, 1)},
        "b": {seed: outcome(seed, 0.1, 1) for seed in (1, 2)},
    }
    results = compare(file, [Setting(name, {}) for name in "abc"], outcomes, {})
    (difference,) = results.differences
    assert list(difference.seeds) == [1]
    assert difference.seeds[1] == pytest.approx(outcomes["b"][1].mean - outcomes["a"][1].mean)
    assert results.rows[2].estimate is None


def test_other_figures_are_higher_or_lower() -> None:
    file = SweepFile(name="s", recipe="quickstart", cases={"a": {}, "b": {}}, metric="rl.mean_tool_calls")
    outcomes = {
        name: {seed: Outcome((base + 0.01 * seed,), (), (), 1.0) for seed in range(5)}
        for name, base in (("a", 4.0), ("b", 3.0))
    }
    (difference,) = compare(file, [Setting("a", {}), Setting("b", {})], outcomes, {}).differences
    assert difference.verdict.startswith("resolved: b is lower than a by 1.000")


def test_both_reports_show_everything_and_run_nothing(tmp_path: Path) -> None:
    results, outcomes = compared({"base": 0.0, "good": 0.4, "same": 0.0}, [0, 1, 2])
    page = write_reports(tmp_path, results, outcomes, [])
    html, markdown = page.read_text(), (tmp_path / "report.md").read_text()
    for verdict in headline(results):
        assert verdict in html
    assert "<script>alert" not in html + markdown
    assert markdown.count("\n| ") == 2 * 2 + 3 + 2 + 2 + 1  # heads and rules, settings, differences, the failed one
    for name in ("settings", "differences", "curve-good"):
        assert f"![{name}](charts/{name}.svg)" in markdown
        assert (tmp_path / "charts" / f"{name}.svg").read_text().startswith("<svg ")


@needs_browser
def test_the_page_and_its_pictures_can_be_seen(tmp_path: Path) -> None:
    results, outcomes = compared({"base": 0.0, "good": 0.4, "same": 0.0}, [0, 1, 2])
    page_path = write_reports(tmp_path, results, outcomes, [])
    with browsing() as page:
        page.set_content(page_path.read_text())
        assert page.locator("h2").all_inner_texts() == [
            "Settings", "Differences to base", "Training", "Failed trials", "Cost",
        ]  # fmt: skip
        assert page.locator("p.lead").count() == 2
        assert page.locator("figure polygon").count() == 3
        dots = page.locator("figure").nth(0).locator("circle")
        places = [box["x"] for index in range(3) if (box := dots.nth(index).bounding_box())]
        assert places[1] > places[0]  # the better setting is further right
        for file in (tmp_path / "charts").glob("*.svg"):
            page.set_content(file.read_text())
            assert page.locator("svg text").count() > 2


def test_the_standing_counts_and_estimates(tmp_path: Path) -> None:
    from launch.sweeps.jobs import jobs_of
    from launch.sweeps.trials import trials_of

    file = SweepFile(
        name="s", recipe="quickstart", run_dir=str(tmp_path), cases={"a": {}, "b": {"grpo.lr": 0.1}}, seeds=[0, 1]
    )
    parts, trials = jobs_of(file, trials_of(file))
    now, said = [0.0], list[str]()
    standing = Standing("s", trials, parts, 2, said.append, lambda: now[0])
    standing.started(parts[0].name)
    assert standing.left_s is None
    now[0] = 100.0
    standing.finished(parts[0].name)
    assert standing.left_s == 100.0 * 5 / 2
    standing.started("a-seed0")
    standing.stopped("a-seed0", "killed", again=True)
    standing.started("a-seed0")
    standing.stopped("a-seed0", "killed", again=False)
    assert standing.left_s == 100.0 * 4 / 2
    assert said[-1] == (
        "sweep s: a-seed0 failed: killed | 0 of 4 trials done, 0 running, 1 failed, 1 of 2 shared parts done; "
        "about 3 min 20 s left"
    )
    assert standing.failed == {"a-seed0": "killed"}
