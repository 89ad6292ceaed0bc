"""The dashboard in a real browser."""

import itertools
import json
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from launch.run_files import read_metrics
from launch.web.dashboard import routes
from medrl.records import to_jsonl, write_json
from tests.browser import browsing, needs_browser
from tests.launch.sample_run import question
from tests.launch.web.live_run import groups_of, log_step, write_live_run, write_long_group, write_step
from tests.serving import serving

pytestmark = needs_browser
expect.set_options(timeout=20_000)
FIRST_PAINT_MS = (
    "performance.getEntriesByType('paint').find((each) => each.name === 'first-contentful-paint')?.startTime"
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_live_run(tmp_path / "run")


@pytest.fixture
def at(run: Path) -> Iterator[str]:
    with serving(routes(run)) as address:
        yield address


def items(page: Page) -> list[str]:
    return [link.get_attribute("data-key") or "" for link in page.locator(".list a").all()]


def test_every_view_loads_and_shows_the_run(at: str, run: Path) -> None:
    health = {"time": 1.0, "ended": True, "stage": "grpo", "step": 2}
    engine = {"name": "engine-0", "pid": 7, "node": "host-a", "state": "dead", "restarts": 3, "heard_s": 1.5}
    write_json(run / "health.json", health | {"actors": [engine | {"rss_gb": 2.5, "cpu": 0.7, "tokens_per_s": 812.0}]})
    with browsing() as page:
        page.goto(at)
        expect(page.locator("#standing")).to_contain_text("grpo, 20 of 40 steps done")
        expect(page.get_by_role("row", name="SFT + RL")).to_contain_text("0.700 [0.630, 0.770]")
        expect(page.locator("#pages a[aria-current]")).to_have_text("Dashboard")
        for tab, shown in {
            "Curves": "reward/total/mean",
            "Rewards": "What each term adds to the total",
            "Tools": "medical_retriever",
            "Time": "A step's time, seconds",
            "Actors": "engine-0",
            "Curriculum": "Believed pass rate",
        }.items():
            page.get_by_role("link", name=tab, exact=True).click()
            expect(page.locator("main")).to_contain_text(shown)
        page.get_by_role("link", name="Actors", exact=True).click()
        expect(page.get_by_role("row", name="engine-0")).to_contain_text("812")
        expect(page.locator("#health")).to_contain_text("The run has ended")


def test_curves_are_searched_and_read_off(at: str) -> None:
    with browsing() as page:
        page.goto(f"{at}/?tab=curves")
        page.locator("input[name=metric]").fill("hallucinated nothing")
        expect(page.locator("main")).to_contain_text("No metric fits")
        page.locator("input[name=metric]").fill("gradient clip")  # words of the meaning, in any order
        expect(page.locator("figure")).to_have_count(1)
        expect(page.locator("figcaption span[title]")).to_have_attribute(
            "title", "norm of the gradient, before clipping"
        )
        chart = page.locator("figure svg[role=img]")
        chart.focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("figcaption")).to_contain_text("step 0:")
        page.keyboard.press("ArrowRight")
        expect(page.locator("figcaption")).to_contain_text("step 1:")
        assert page.locator("polyline.line").count() == 2  # step 7 was not finite: the line breaks there
        page.locator("input[name=log]").check()
        page.locator("input[name=smooth]").fill("0.5")
        expect(page.locator("polyline.faint")).to_have_count(2)
        address = page.url
        assert "log=1" in address and "smooth=0.5" in address and "metric=" in address
        drawn = chart.inner_html()
        page.goto("about:blank")
        page.goto(address)
        expect(page.locator("figure")).to_have_count(1)
        page.locator("figure svg[role=img]").focus()
        assert page.locator("figure svg[role=img]").locator("polyline.line").count() == drawn.count("<polyline")


def test_filters_give_the_groups_that_fit_and_the_address_keeps_them(at: str) -> None:
    with browsing() as page:
        page.goto(f"{at}/?tab=groups")
        expect(page.locator(".list [role=status]")).to_have_text("50 of 66 groups")
        page.get_by_role("button", name="More").click()
        expect(page.locator(".list [role=status]")).to_have_text("66 of 66 groups")
        page.get_by_label("Step or part").select_option("grpo-0001")
        expect(page.locator(".list [role=status]")).to_have_text("6 of 6 groups")
        page.get_by_label("Result").select_option("mixed")
        # of the i-th group's four episodes, i mod 5 are correct
        expect(page.locator(".list a")).to_have_count(3)
        assert items(page) == ["grpo-0001 q007", "grpo-0001 q008", "grpo-0001 q009"]
        page.get_by_label("Hops").select_option("3")
        expect(page.locator(".list a")).to_have_count(1)
        address = page.url
        page.get_by_role("button", name="Clear").click()
        expect(page.locator(".list [role=status]")).to_have_text("50 of 66 groups")
        page.goto("about:blank")
        page.goto(address)
        expect(page.locator(".list a")).to_have_count(1)
        assert items(page) == ["grpo-0001 q007"]
        expect(page.get_by_label("Result")).to_have_value("mixed")
        expect(page.get_by_label("Hops")).to_have_value("3")


def test_words_are_searched_in_all_episodes(at: str) -> None:
    with browsing() as page:
        page.goto(f"{at}/?tab=groups")
        page.get_by_label("Search the episodes").fill("finding number 7?")
        status = page.locator(".list [role=status]")
        expect(status).to_have_text("6 found; 66 of 66 groups searched")
        expect(page.locator(".list .hit").first).to_contain_text("question:")
        page.get_by_label("Search the episodes").fill('alert("x")')
        expect(status).to_contain_text("66 of 66 groups searched")
        expect(page.locator(".list mark").first).to_have_text('alert("x")')


def test_a_group_is_shown_side_by_side_and_what_a_tool_wrote_stays_text(at: str) -> None:
    with browsing() as page:
        page.goto(f"{at}/?tab=groups&part=grpo-0001&result=mixed")
        expect(page.locator(".list a")).to_have_count(3)
        page.keyboard.press("j")
        page.keyboard.press("j")
        expect(page.get_by_role("heading", name="finding number 8?")).to_be_visible()
        page.keyboard.press("k")
        expect(page.get_by_role("heading", name="finding number 7?")).to_be_visible()
        page.keyboard.press("j")
        expect(page.get_by_role("heading", name="finding number 8?")).to_be_visible()
        articles = page.locator(".side article")
        expect(articles).to_have_count(4)
        assert [article.locator("h4 b").inner_text() for article in articles.all()] == ["✓ correct"] * 2 + [
            "✗ not correct"
        ] * 2
        expect(articles.nth(3)).to_contain_text('<script>alert("x")</script>')
        expect(articles.nth(3)).to_contain_text("Sources: omim:0")
        assert page.locator("main script, main img").count() == 0
        turns = [article.locator(".turn").nth(1).bounding_box() for article in articles.all()]
        assert all(turns) and len({round(each["y"]) for each in turns if each}) == 2  # turn beside turn, in two rows
        assert all(each["x"] + each["width"] <= 1280 for each in turns if each)  # no card is cut off
        page.get_by_role("link", name="Sample 2").click()
        expect(page.locator("article.chosen")).to_contain_text("Sample 2")
        address = page.url
        page.goto("about:blank")
        page.goto(address)
        expect(page.locator("article.chosen")).to_contain_text("Sample 2")
        expect(page.locator(".list a[aria-current]")).to_have_count(1)


def test_the_latest_step_comes_first_and_evaluations_have_no_advantage(at: str) -> None:
    with browsing() as page:
        page.goto(f"{at}/?tab=groups")
        expect(page.locator(".list a").first).to_be_visible()
        shown = [name for name, _ in itertools.groupby(name.split()[0] for name in items(page))]
        assert shown == ["grpo-0002", "grpo-0001", "grpo-0000", "rl", "sft"][: len(shown)] and len(shown) > 3
        page.locator(".list a").first.click()
        expect(page.locator(".side article").first).to_contain_text("Advantage")
        page.get_by_label("Step or part").select_option("rl")
        expect(page.get_by_text("The group below is not in the list")).to_be_visible()
        page.locator(".list a").first.click()
        expect(page.locator("h2 + p")).to_contain_text("rl · ")
        expect(page.get_by_text("The group below is not in the list")).to_have_count(0)
        expect(page.locator(".side article").first).to_contain_text("tokens sampled")
        assert "Advantage" not in page.locator(".side").inner_text()
        page.get_by_role("button", name="Tokens").click()
        expect(page.locator("main")).to_contain_text("neither ratio nor advantage")
        assert page.locator(".under-good, .under-bad").count() == 0
        page.get_by_label("Search the episodes").fill("nowhere to be found")
        expect(page.locator(".list [role=status]")).to_have_text("No group fits: all 24 are searched.")
        expect(page.get_by_text("The group below is not in the list")).to_be_visible()
        page.get_by_label("Search the episodes").fill("")
        expect(page.get_by_text("The group below is not in the list")).to_have_count(0)


def test_an_address_that_leads_nowhere_is_told_in_plain_words(at: str) -> None:
    with browsing() as page:
        for name in ("nope", "constructor"):
            page.goto(f"{at}/?tab={name}")
            expect(page.get_by_role("alert")).to_have_text(f"There is no view {name}: choose one above.")
        page.get_by_role("link", name="Overview", exact=True).click()
        expect(page.locator("figure[data-chart='Fine-tuning loss'] svg text").last).to_have_text("update")
        expect(page.locator("figure[data-chart='Reward'] > svg text").last).to_have_text("step")
        expect(page.get_by_role("alert")).to_have_count(0)


def test_tokens_show_mask_ratio_and_advantage(at: str, run: Path) -> None:
    episodes = [each for each in groups_of(0) if each.question_id == "q002"]
    with browsing(height=3000) as page:  # all in view
        page.goto(f"{at}/?tab=groups&in=grpo-0000&group=q002")
        page.get_by_role("button", name="Tokens").click()
        article = page.locator(".side article").nth(3)
        acted = article.locator(".t.act")
        expect(acted).to_have_count(sum(episodes[3].action_mask))
        others = "".join(article.locator(".t:not(.act)").all_text_contents())
        assert others == question(2).text + "".join(step.observation for step in episodes[3].steps)
        assert "".join(acted.all_text_contents()) == "".join(step.text for step in episodes[3].steps)
        lines = (run / "trajectories" / "grpo-0000.tokens.jsonl").read_text().splitlines()
        learnt = next(x for x in map(json.loads, lines) if (x["question_id"], x["sample"]) == ("q002", 3))
        sampled = [value for value, acted in zip(episodes[3].logprobs, episodes[3].action_mask, strict=True) if acted]
        differences = [new - old for new, old in zip(learnt["logprobs"], sampled, strict=True)]
        assert article.locator(".up3").count() == sum(each > 0.25 for each in differences) > 0
        assert article.locator(".down1").count() == sum(-0.1 <= each < -0.02 for each in differences) > 0
        assert article.locator(".under-good").count() == len(sampled)  # its recorded advantage is 0.375
        assert page.locator(".side article").nth(0).locator(".under-bad").count() > 0
        clipped = sum(math.exp(each) > 1.28 for each in differences)  # a good episode's, by its upper bound alone
        assert article.locator(".clipped").count() == clipped > 0
        page.get_by_label("Colour by").select_option("advantage")
        expect(article.locator(".good2")).to_have_count(len(sampled))
        page.get_by_label("Colour by").select_option("version")
        assert "overlay=version" in page.url and "view=tokens" in page.url
        page.goto(f"{at}/?tab=groups&in=grpo-0001&group=q008&view=tokens")
        expect(page.locator("main")).to_contain_text("not recorded for these episodes, so there is no ratio")


def test_a_long_episode_has_elements_where_it_is_looked_at(at: str, run: Path) -> None:
    (episode,) = write_long_group(run, 4, num_tokens=32_000, size=1)
    learnt = json.loads((run / "trajectories" / "grpo-0004.tokens.jsonl").read_text())["logprobs"]
    acted = [place for place, on in enumerate(episode.action_mask) if on]
    wanted = []  # of the last turn
    for place, learner in zip(acted[-640:], learnt[-640:], strict=True):
        difference = learner - episode.logprobs[place]
        size = sum(abs(difference) > bound for bound in (0.02, 0.1, 0.25))
        colour = f" {'up' if difference > 0 else 'down'}{size}" if size else ""
        clipped = " clipped" if math.exp(difference) < 0.8 else ""  # a bad episode's, by its lower bound alone
        wanted.append([f"token {episode.token_ids[place]}", f"t act{colour} under-bad{clipped}"])
    with browsing() as page:
        page.goto(f"{at}/?tab=groups&in=grpo-0004&group=q000&view=tokens")
        runs = page.locator(".side article > div > .tokens > div")
        expect(runs).to_have_count(49)  # by turns of the policy's and of tools'
        last = runs.last.locator(".t.act")
        expect(runs.first.locator(".t.act")).to_have_count(640)
        expect(last).to_have_count(0)
        plain = runs.last.text_content()
        for run_of_policy in runs.all()[::2]:
            run_of_policy.scroll_into_view_if_needed()
            expect(run_of_policy.locator(".t.act")).to_have_count(640)
            assert page.evaluate("document.querySelectorAll('*').length") < 4_000
        expect(runs.first.locator(".t.act")).to_have_count(0)
        assert last.evaluate_all("all => all.map((each) => [each.title.split(',')[0], each.className])") == wanted
        assert runs.last.text_content() == plain
        last.nth(400).hover()
        sampler, learner = episode.logprobs[acted[-240]], learnt[-240]
        expect(page.locator(".t:hover")).to_have_attribute(
            "title",
            f"{wanted[400][0]}, sampler {sampler:.3g}, learner {learner:.3g}, "
            f"ratio {math.exp(learner - sampler):.4f}, advantage −0.375, version 4",
        )


def test_new_steps_appear_while_the_run_writes(at: str, run: Path) -> None:
    with browsing() as page:
        page.goto(f"{at}/?tab=groups")
        status = page.locator(".list [role=status]")
        expect(status).to_have_text("50 of 66 groups")
        page.evaluate("window.same = true")
        ended = threading.Event()

        def write() -> None:
            for step in itertools.count(20):
                log_step(run, step, 0.5)
                write_step(run, step)
                if ended.wait(0.3):
                    return

        writer = threading.Thread(target=write)
        writer.start()
        try:
            expect(page.get_by_label("Step or part").locator("option[value=grpo-0022]")).to_be_attached()
            page.get_by_label("Step or part").select_option("grpo-0022")
            expect(status).to_have_text("6 of 6 groups")
            page.keyboard.press("Tab")
            page.get_by_role("link", name="finding number").first.click()
            expect(page.locator(".side article")).to_have_count(4)
            page.get_by_role("link", name="Curves", exact=True).click()
            caption = page.locator("figure[data-chart='rollout/pass_rate'] figcaption")
            shown = caption.inner_text()
            expect(caption).not_to_have_text(shown)  # grows without a reload
        finally:
            ended.set()
            writer.join()
        assert page.evaluate("window.same") is True
        expect(page.locator("#problems")).to_be_hidden()


def test_a_stage_that_is_begun_again_replaces_what_it_logged(at: str, run: Path) -> None:
    with browsing() as page:
        page.goto(f"{at}/?tab=curves&metric=pass_rate")
        caption = page.locator("figure[data-chart='rollout/pass_rate'] figcaption")
        expect(caption).to_contain_text("step 19:")
        log_step(run, 5, 0.125)
        expect(caption).to_contain_text("step 5: 0.125")
        assert [line["step"] for line in read_metrics(run) if line["stage"] == "grpo"] == [0, 1, 2, 3, 4, 5]
        (run / "metrics.jsonl").unlink()  # and another file in its place
        log_step(run, 0, 0.875)
        expect(caption).to_contain_text("step 0: 0.875")


def test_what_cannot_be_read_is_shown(at: str, run: Path) -> None:
    with browsing() as page:
        page.goto(at)
        expect(page.locator("#problems")).to_be_hidden()
        with (run / "metrics.jsonl").open("a") as file:
            file.write("half of a\n")
        with (run / "trajectories" / "rl.jsonl").open("a") as file:
            file.write('{"question_id": "q"}\n')
        expect(page.locator("#problems summary")).to_have_text("2 lines or files could not be read")
        page.locator("#problems summary").click()
        expect(page.locator("#problems")).to_contain_text("metrics.jsonl:81: not a line of metrics")
        expect(page.locator("#problems")).to_contain_text("trajectories/rl.jsonl:25: sample")


def test_a_hundred_megabytes_of_trajectories_stay_usable(tmp_path: Path) -> None:
    run = write_live_run(tmp_path / "run", steps=0)
    padding = "x" * 9_000
    episodes = [
        replace(
            each, steps=[replace(each.steps[0], observation=padding), *each.steps[1:]], sample=each.sample + 4 * copy
        )
        for copy in range(8)
        for each in groups_of(0)
    ]
    text = to_jsonl(episodes)
    for number in range(40):
        (run / "trajectories" / f"grpo-{number:04d}.jsonl").write_text(text)
    assert sum(path.stat().st_size for path in (run / "trajectories").iterdir()) > 100e6
    code = "import sys; from launch.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "dashboard", str(run), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split(": ")[1].split()[0]
            with browsing() as page:
                page.goto(f"{address}?tab=groups")  # at once, while the index is being built
                expect(page.locator(".list a").first).to_be_visible()
                painted_ms = page.evaluate(FIRST_PAINT_MS)
                print(f"first contentful paint: {painted_ms:.0f} ms")
                assert painted_ms <= 2000
                expect(page.locator("#indexing")).to_have_count(0)
                page.get_by_label("Step or part").select_option("grpo-0039")
                expect(page.locator(".list [role=status]")).to_have_text("6 of 6 groups")
                page.get_by_label("Search the episodes").fill("brca2")
                expect(page.locator(".list [role=status]")).to_contain_text("6 of 6 groups searched")
        finally:
            server.terminate()
