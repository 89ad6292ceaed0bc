import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from launch.episode_page import choose_pairs, tally
from launch.report import write_report
from launch.run_files import column, read_metrics
from launch.summary import reminder
from medrl.errors import DataError
from tests.launch.sample_run import HOSTILE, question, rollout, write_sample_run

VOID = {"meta", "br", "img", "link"}


class Page(HTMLParser):
    """Collects text, tags and anything that could fetch or run; fails on tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_sample_run(tmp_path / "sample")


def test_it_fetches_nothing_runs_nothing_and_shows_hostile_text_as_text(run: Path) -> None:
    source = write_report(run).read_text()
    page = Page(source)
    assert not {"script", "img", "link", "iframe", "object", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "href") or name.startswith("on")]
    assert "url(" not in source
    assert "http" not in source.replace("http-equiv", "")
    assert HOSTILE in page.text
    assert len(source) < 300_000


def test_the_table_holds_the_summary(run: Path) -> None:
    page = Page(write_report(run).read_text())
    assert "0.594 [0.524, 0.664]" in page.text
    assert "+0.308 [+0.240, +0.375]" in page.text
    assert "RL improved on SFT: sampled pass@1 +0.308" in page.text
    assert "20 min 43 s" in page.text


@pytest.mark.parametrize(
    ("mean", "ci95", "said"),
    [(0.02, [-0.03, 0.07], "cannot be told apart"), (-0.1, [-0.16, -0.04], "made the SFT model worse")],
)
def test_the_verdict_does_not_flatter(run: Path, mean: float, ci95: list[float], said: str) -> None:
    path = run / "summary.json"
    summary = json.loads(path.read_text())
    summary["rl_minus_sft"]["sampled"] = {"mean": mean, "ci95": ci95}
    path.write_text(json.dumps(summary))
    assert said in write_report(run).read_text()


def test_six_pairs_with_every_step(run: Path) -> None:
    source = write_report(run).read_text()
    assert source.count("<article>") == 12
    # In turn: gained 1, lost 1, right both times 2, wrong both times 0; and again gained 1, lost 1.
    assert source.count("✓ correct") == 6
    assert "Clues beside it: A rash &lt;script&gt;" in source
    assert source.count("State: 1 facts, 1 hypotheses, 1 paths") == 12
    assert "</b> confirmed, P = 0.82: the answer, shown at turn 1 &lt;script&gt;" in source
    assert "medical_retriever {&quot;query&quot;: &quot;finding 0&quot;}" in source


def test_pairs_are_chosen_by_rule() -> None:
    questions = [question(index) for index in range(6)]
    kinds = [(True, True), (False, True), (False, True), (True, False), (False, False), (True, True)]
    before = {each.id: rollout(each, passed=kind[0], calls=1) for each, kind in zip(questions, kinds, strict=True)}
    after = {each.id: rollout(each, passed=kind[1], calls=1) for each, kind in zip(questions, kinds, strict=True)}
    assert choose_pairs(before, after, 5) == ["q001", "q003", "q000", "q004", "q002"]
    assert [count for _, count in tally(before, after)] == [2, 1, 2, 1]
    del after["q003"]
    assert "q003" not in choose_pairs(before, after, 6)


def test_a_stage_begun_again_replaces_what_it_logged(tmp_path: Path) -> None:
    logged = [("sft", 0, 9.0), ("grpo", 0, 1.0), ("grpo", 1, 2.0), ("grpo", 2, 3.0), ("grpo", 0, 4.0), ("grpo", 1, 5.0)]
    (tmp_path / "metrics.jsonl").write_text(
        "".join(json.dumps({"stage": stage, "step": step, "a": value}) + "\n" for stage, step, value in logged)
    )
    lines = read_metrics(tmp_path)
    assert column(lines, "grpo", "a") == [(0, 4.0), (1, 5.0)]
    assert column(lines, "sft", "a") == [(0, 9.0)]


def test_what_is_missing_is_named(run: Path) -> None:
    (run / "trajectories" / "rl.jsonl").unlink()
    with pytest.raises(DataError, match=r"rl\.jsonl"):
        write_report(run)
    (run / "summary.json").unlink()
    with pytest.raises(DataError, match=r"not evaluated yet; `medrl eval"):
        write_report(run)


def test_writing_it_again_gives_the_same_page(run: Path) -> None:
    first = write_report(run).read_text()
    assert write_report(run).read_text() == first
    assert not re.search(r"object at 0x", first)


def test_a_finished_run_is_shown_again(tmp_path: Path) -> None:
    run = write_sample_run(tmp_path / "one")
    shown = reminder(run)
    assert "rl-sft" in shown and shown.endswith(f"report: {run / 'report.html'}")
    assert "medrl eval" in reminder(tmp_path)
