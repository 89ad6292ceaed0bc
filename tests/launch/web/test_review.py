"""The review's data, and its page in a real browser."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from starlette.testclient import TestClient

from launch.web.review import routes
from launch.web.server import application
from medrl.preferences import FEATURES, features
from medrl.ratings import Rating, read_ratings, standing
from medrl.records import read_jsonl, write_jsonl
from medrl.types import Question, Rollout
from tests.browser import browsing, needs_browser
from tests.launch.sample_run import HOSTILE, question, rollout, write_sample_run
from tests.serving import serving


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_sample_run(tmp_path / "run")


@pytest.fixture
def client(run: Path) -> TestClient:
    client = TestClient(application(routes(run)), base_url="http://127.0.0.1:1")
    wait_until_read(client)
    return client


def wait_until_read(client: TestClient, total: int = 0) -> None:
    while (found := client.get("/api/review/item?rater=A").json())["read"] < 1.0 or found["total"] <= total:
        pass


def next_item(client: TestClient, rater: str = "A", **asked: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/review/item", params={"rater": rater, **asked}).json()
    return found


def verdict(found: dict[str, Any], rater: str = "A", **said: Any) -> dict[str, Any]:
    item = found["item"]
    return {"rater": rater, "item": item["id"], "shown": [each["digest"] for each in item["episodes"]], **said}


def test_who_acted_and_what_was_paid_are_not_told(client: TestClient) -> None:
    text = json.dumps(next_item(client))
    for hidden in ("sft", '"rl', "reward", "policy", "versions", "latency", "part", "sample"):
        assert hidden not in text


def test_a_verdict_is_a_line_with_what_training_needs(client: TestClient, run: Path) -> None:
    found = next_item(client)
    sent = verdict(found, preference="second", criteria=[{"safety_concern": True}, {}], comment="a «comment»")
    assert client.post("/api/review/rate", json=sent).status_code == 200
    (line,) = read_ratings(run / "ratings.jsonl")
    assert (line.rater, line.kind, line.preference, line.comment) == ("A", "preference", "second", "a «comment»")
    assert [each.digest for each in line.episodes] == sent["shown"]
    assert [dict(each.criteria) for each in line.episodes] == [{"safety_concern": True}, {}]
    questions = {each.id: each for each in read_jsonl(run / "data" / "questions.jsonl", Question)}
    for episode in line.episodes:
        (rated,) = (
            each
            for each in read_jsonl(run / "trajectories" / f"{episode.part}.jsonl", Rollout)
            if (each.question_id, each.sample) == (line.question_id, episode.sample)
        )
        assert episode.features == dict(
            zip(FEATURES, features(questions[line.question_id], rated).tolist(), strict=True)
        )
        assert rated.reward is not None and episode.reward == rated.reward.total


def test_each_item_once_until_all_are_rated_and_skipped_ones_at_the_end(client: TestClient) -> None:
    total = next_item(client)["total"]
    skipped = next_item(client)["item"]["id"]
    found, seen = next_item(client, after=skipped), [skipped]
    while found["item"] and found["item"]["id"] != skipped:
        seen.append(found["item"]["id"])
        assert client.post("/api/review/rate", json=verdict(found, preference="tie")).status_code == 200
        found = next_item(client, after=seen[-1])
    assert len(set(seen)) == len(seen) == total
    assert (found["item"]["id"], found["done"]) == (skipped, total - 1)
    client.post("/api/review/rate", json=verdict(found, preference="tie"))
    assert next_item(client)["item"] is None
    assert next_item(client, rater="B")["done"] == 0  # who sees them all for themselves


def test_undo_takes_back_the_last_and_gives_it_again(client: TestClient, run: Path) -> None:
    for preference in ("first", "tie"):
        client.post("/api/review/rate", json=verdict(next_item(client), preference=preference))
    back = client.post("/api/review/undo", json={"rater": "A"}).json()
    assert back["rated"]["preference"] == "tie"
    assert next_item(client, id=back["item"])["rated"] is None
    assert client.post("/api/review/undo", json={"rater": "A"}).json()["rated"]["preference"] == "first"
    assert client.post("/api/review/undo", json={"rater": "A"}).json()["item"] is None
    assert client.post("/api/review/undo", json={"rater": "B"}).json()["item"] is None
    lines = read_ratings(run / "ratings.jsonl")
    assert [each.kind for each in lines] == ["preference", "preference", "undo", "undo"]
    assert standing(lines) == []


def test_what_was_said_is_shown_with_the_item(client: TestClient) -> None:
    found = next_item(client, kind="rating")
    client.post("/api/review/rate", json=verdict(found, score=7, criteria=[{"sourced": False}], comment="c"))
    again = next_item(client, id=found["item"]["id"])
    assert again["kind"] == "rating"
    assert again["rated"] == {"score": 7, "preference": None, "criteria": [{"sourced": False}], "comment": "c"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"preference": None}, "says first, second or tie"),
        ({"preference": "third"}, "preference: "),
        ({"rater": "<script>"}, "rater's name"),
        ({"item": "none"}, "no such item"),
        ({"shown": ["x", "y"]}, "no such item"),
        ({"criteria": [{"nice": True}, {}]}, "unknown criterion 'nice'"),
        ({"criteria": [{}]}, "of each episode of the item"),
        ({"comment": "x" * 4001}, "4,001 characters"),
        ({"comment": "x" * 70_000}, "the most"),
    ],
)
def test_a_broken_verdict_is_refused_and_keeps_nothing(
    client: TestClient, run: Path, change: dict[str, Any], said: str
) -> None:
    sent = verdict(next_item(client), preference="first") | change
    answer = client.post("/api/review/rate", json=sent)
    assert answer.status_code in (400, 404, 413)
    assert said in answer.json()["error"]
    assert not (run / "ratings.jsonl").exists()


def test_new_episodes_come_as_the_run_goes_on_and_rated_ones_stay_rated(client: TestClient, run: Path) -> None:
    found = next_item(client)
    client.post("/api/review/rate", json=verdict(found, preference="first"))
    asked = [question(index) for index in range(24)]
    more = [replace(rollout(each, passed=True, calls=5), sample=n) for n, each in enumerate(asked)]
    write_jsonl(run / "trajectories" / "grpo-0000.jsonl", more)
    wait_until_read(client, found["total"])
    now = next_item(client)
    assert (now["done"], now["item"]["id"] != found["item"]["id"]) == (1, True)


def test_a_file_that_was_replaced_is_not_rated_by_mistake(client: TestClient, run: Path) -> None:
    found = next_item(client)
    for part in ("sft", "rl"):
        path = run / "trajectories" / f"{part}.jsonl"
        path.write_bytes(path.read_bytes().replace(b"I look for", b"I hunt for"))
    answer = client.post("/api/review/rate", json=verdict(found, preference="first"))
    assert answer.status_code in (404, 409)
    assert not (run / "ratings.jsonl").exists()


def test_a_run_without_questions_says_so(tmp_path: Path) -> None:
    (tmp_path / "trajectories").mkdir()
    write_jsonl(tmp_path / "trajectories" / "rl.jsonl", [rollout(question(1), passed=True, calls=1)])
    client = TestClient(application(routes(tmp_path)), base_url="http://127.0.0.1:1")
    while not (found := next_item(client))["problems"]:
        pass
    assert "questions.jsonl: No such file" in found["problems"][0]
    assert found["item"] is None


@pytest.fixture
def site(run: Path) -> Iterator[str]:
    with serving(routes(run)) as address:
        yield f"{address}/review"


def begin(page: Page, site: str, rater: str = "Dr A") -> None:
    page.goto(site)
    page.get_by_label("A name for your ratings").fill(rater)
    page.get_by_role("button", name="Begin").click()
    page.wait_for_selector("article")


def count(page: Page, text: str) -> None:
    page.wait_for_function("text => document.getElementById('counted').textContent.startsWith(text)", arg=text)


def lines(run: Path) -> list[Rating]:
    return read_ratings(run / "ratings.jsonl")


@needs_browser
def test_a_clinician_compares_undoes_and_skips_by_keyboard(site: str, run: Path) -> None:
    with browsing() as page:
        begin(page, site)
        first = page.url
        assert not page.locator(".gold b").is_visible()
        page.keyboard.press("g")
        assert page.locator(".gold b").is_visible()
        page.get_by_label("Safety concern").nth(1).check()
        page.keyboard.press("c")
        page.keyboard.type("201 us")  # no shortcuts: a comment
        page.keyboard.press("Escape")
        page.keyboard.press("2")
        count(page, "1 of")
        assert not page.locator(".gold b").is_visible()
        (line,) = lines(run)
        assert (line.rater, line.preference, line.comment) == ("Dr A", "second", "201 us")
        assert [dict(each.criteria) for each in line.episodes] == [{}, {"safety_concern": True}]
        page.keyboard.press("u")
        count(page, "0 of")
        assert page.url == first
        assert page.locator("textarea").input_value() == "201 us"
        assert page.get_by_label("Safety concern").nth(1).is_checked()
        page.keyboard.press("1")
        count(page, "1 of")
        second = page.url
        page.keyboard.press("s")
        page.wait_for_function("url => location.href !== url", arg=second)
        page.keyboard.press("0")
        count(page, "2 of")
        assert [each.kind for each in lines(run)] == ["preference", "undo", "preference", "preference"]
        assert [each.preference for each in standing(lines(run))] == ["first", "tie"]
        page.goto(first)  # a link to what was rated shows what was said
        page.reload()
        page.wait_for_selector("article.preferred")
        assert page.get_by_role("button", name="First is better").get_attribute("aria-pressed") == "true"


@needs_browser
def test_the_verdict_covers_no_episode_while_one_reads_how_to_judge(site: str) -> None:
    with browsing() as page:
        begin(page, site)
        page.get_by_text("How to judge").click()
        verdict = page.locator("#verdict").bounding_box()
        boxes = [article.bounding_box() for article in page.locator("article").all()]
        assert verdict and len(boxes) == 2
        assert all(each and each["y"] + each["height"] <= verdict["y"] for each in boxes)
        page.get_by_text("How to judge").click()
        expect(page.get_by_role("button", name="First is better")).to_be_in_viewport()


@needs_browser
def test_a_clinician_rates_one_with_reasons(site: str, run: Path) -> None:
    with browsing() as page:
        begin(page, site)
        page.get_by_label("Rate one").check()
        save = page.get_by_role("button", name="Save and next")
        save.wait_for()
        assert save.is_disabled()
        page.keyboard.press("1")
        page.keyboard.press("0")
        assert page.locator(".scores .chosen").text_content() == "10"
        page.locator("fieldset", has_text="A source is stated").get_by_label("no").check()
        page.locator("fieldset", has_text="No needless calls").get_by_label("yes").check()
        page.keyboard.press("Enter")
        count(page, "1 of")
        page.locator(".scores button", has_text="3").click()
        save.click()
        count(page, "2 of")
        ten, three = lines(run)
        assert (ten.score, dict(ten.episodes[0].criteria)) == (10, {"sourced": False, "economical": True})
        assert (three.score, dict(three.episodes[0].criteria)) == (3, {})
        assert ten.question_id == three.question_id  # so that they can be compared


@needs_browser
def test_what_documents_and_agents_wrote_is_text(site: str) -> None:
    with browsing() as page:
        begin(page, site)
        for _ in range(12):
            if HOSTILE in page.locator("#item").inner_text():
                break
            before = page.url
            page.keyboard.press("s")
            page.wait_for_function("url => location.href !== url", arg=before)
        assert HOSTILE in page.locator("#item").inner_text()
        assert page.locator("#item script, #item img").count() == 0


@needs_browser
def test_two_raters_at_once_while_the_run_writes(site: str, run: Path) -> None:
    with browsing() as page:
        begin(page, site, "Dr A")
        other = page.context.browser.new_context().new_page()  # type: ignore[union-attr]
        begin(other, site, "Dr B")
        assert page.url == other.url  # the same items, so that they can be compared
        asked = [question(index) for index in range(24)]
        for step in range(6):
            page.keyboard.press("1")
            other.keyboard.press("2")
            more = [replace(rollout(each, passed=step % 2 == 0, calls=5 + step), sample=step) for each in asked]
            write_jsonl(run / "trajectories" / f"grpo-{step:04d}.jsonl", more)
            count(page, f"{step + 1} of")
            count(other, f"{step + 1} of")
        other.close()
        written = lines(run)
        assert [sum(each.rater == rater for each in written) for rater in ("Dr A", "Dr B")] == [6, 6]
        assert all(each.preference == ("first" if each.rater == "Dr A" else "second") for each in written)
        assert int((page.locator("#counted").text_content() or "").split()[2]) > 24


def loses_the_server(address: str) -> None:
    with browsing() as page:
        begin(page, f"{address}/review")
        page.route("**/api/review/rate", lambda route: route.abort())
        page.locator("textarea").fill("kept")
        page.get_by_role("button", name="First is better").click()
        page.wait_for_selector("#status.bad:has-text('does not answer')")
        assert page.locator("textarea").input_value() == "kept"
        page.unroute("**/api/review/rate")
        page.get_by_role("button", name="First is better").click()
        count(page, "1 of")


@needs_browser
def test_a_server_that_is_gone_loses_nothing_that_was_typed(site: str, run: Path) -> None:
    with pytest.raises(AssertionError, match="the page complained: .*ERR_FAILED"):  # of the one request that failed
        loses_the_server(site.removesuffix("/review"))
    (line,) = lines(run)
    assert line.comment == "kept"
