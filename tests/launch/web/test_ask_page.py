"""The page /ask in a real browser."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from launch.ask.calibration import Calibration
from launch.ask.events import STATEMENT
from tests.browser import browsing, needs_browser
from tests.launch.ask.fakes import BRCA2, DOWN, FBN1, SILENT, Script, scripted
from tests.launch.ask.serving import serving

pytestmark = needs_browser

QUESTION = "Which gene causes pectus carinatum?"
CALIBRATION = Calibration(3, 1.0, {2: (34, 46), 3: (60, 63)})


@contextmanager
def asking(*samples: tuple[str, ...], gate: threading.Event | None = None) -> Iterator[tuple[Page, str, Script]]:
    agent, script = scripted(*samples, gate=gate, calibration=CALIBRATION)
    with serving(agent) as address, browsing() as page:
        page.goto(f"{address}/ask")
        expect(page.locator("#agent")).to_have_text("small-rl")
        yield page, address, script


def ask(page: Page, question: str = QUESTION) -> None:
    page.get_by_label("Question", exact=True).fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()


def test_steps_appear_before_the_answer_and_then_the_answer_with_its_sources() -> None:
    gate = threading.Event()
    with asking(BRCA2, FBN1, FBN1, SILENT, FBN1, gate=gate) as (page, _, _):
        ask(page)
        shown = page.locator(".sample").first
        expect(shown.get_by_text("I look for the disease.")).to_be_visible()
        expect(shown.get_by_text("Gene: FBN1")).to_be_visible()
        expect(shown.locator("[data-document='OMIM:154700']")).to_be_visible()
        expect(page.get_by_role("status")).to_contain_text("1 of 5 samples done")  # the one that says nothing at once
        assert page.locator(".answer").count() == 0
        gate.set()
        answer = page.get_by_role("region", name="Answer")
        expect(answer.locator(".said")).to_have_text("FBN1")
        expect(answer).to_contain_text("3 of 5 samples give this answer (share 0.60, 95% interval 0.23 to 0.88)")
        expect(answer).to_contain_text("not a calibrated probability")
        expect(answer).to_contain_text("right in 0.74 of them")
        expect(answer).to_contain_text("The greedy sample says BRCA2")
        expect(answer).to_contain_text(STATEMENT)
        rows = [text.split() for text in answer.get_by_role("row").all_inner_texts()]
        assert rows == [["FBN1", *"3 of 5".split()], ["BRCA2", *"1 of 5".split()], "no answer 1 of 5".split()]
        expect(page.get_by_role("status")).to_have_text("Answer: FBN1 (3 of 5 samples).")
        answer.get_by_role("button", name="OMIM:154700").click()
        expect(page.locator("[data-document='OMIM:154700']").first).to_be_focused()
        assert page.locator(".sample").count() == 5
        assert page.locator(".sample > summary").all_inner_texts()[3] == "Sample 4 no answer (no tool call)"


def test_what_a_document_says_is_text() -> None:
    with asking(FBN1) as (page, _, _):
        ask(page, '<b id="forged">x</b>')
        expect(page.locator(".answer .said")).to_have_text("FBN1")
        expect(page.get_by_text('<script>document.title="owned"</script>').first).to_be_visible()
        expect(page.get_by_text("untrusted source").first).to_be_visible()
        assert page.title() == "Ask the agent"
        assert page.locator("#shown img, #shown script, #forged").count() == 0
        expect(page.locator(".asked > h2")).to_have_text('<b id="forged">x</b>')


def test_a_link_fills_the_box_and_starts_nothing() -> None:
    with asking(FBN1) as (page, address, script):
        page.goto(f"{address}/ask?q=Which+gene%3F")
        expect(page.get_by_label("Question", exact=True)).to_have_value("Which gene?")
        expect(page.get_by_role("status")).to_contain_text("came with the link")
        page.wait_for_timeout(300)
        assert not script.requests
        page.keyboard.press("Enter")  # the box has the focus
        expect(page.locator(".answer .said")).to_have_text("FBN1")
        expect(page.get_by_role("link", name="Link to this question")).to_have_attribute("href", "/ask?q=Which+gene%3F")


def test_what_was_asked_before_can_be_seen_again() -> None:
    with asking(FBN1) as (page, address, _):
        for question in ("First?", "Second?"):
            ask(page, question)
            expect(page.locator(".asked > h2")).to_have_text(question)
            expect(page.locator(".answer .said")).to_have_text("FBN1")
        assert page.url == f"{address}/ask?q=Second%3F"
        page.locator("#history").get_by_role("button", name="First?").click()
        expect(page.locator(".asked > h2")).to_have_text("First?")
        assert page.locator("#history button").all_inner_texts() == ["Second?\nFBN1 (5 of 5)", "First?\nFBN1 (5 of 5)"]


def test_escape_stops_the_machine() -> None:
    with asking(FBN1, gate=threading.Event()) as (page, _, script):
        ask(page)
        expect(page.get_by_text("I look for the disease.").first).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("status")).to_have_text("Stopped.")
        expect(page.get_by_role("button", name="Ask", exact=True)).to_be_enabled()
        for _ in range(100):
            if script.cancelled == 5:
                break
            page.wait_for_timeout(20)
        assert script.cancelled == 5


def test_no_answer_and_no_engine_are_said_so() -> None:
    with asking(SILENT) as (page, _, _):
        ask(page)
        expect(page.locator(".answer.none .said")).to_have_text("No answer was found")
    with asking((DOWN,)) as (page, _, _):
        ask(page)
        expect(page.locator(".asked .bad")).to_contain_text("could not be played: engine-0 has died")


def test_a_question_that_is_too_long_is_cut_and_the_reason_stands_first() -> None:
    with pytest.raises(AssertionError, match=r"the page complained: \['[^']*400[^']*'\]"):  # of the refusal alone
        asks_too_long_a_question()


def asks_too_long_a_question() -> None:
    question = "Which gene is it? " * 900
    with asking(FBN1) as (page, _, script):
        ask(page, question)
        expect(page.get_by_role("status")).to_contain_text("The question failed: the question is too long")
        for shown in (page.locator(".asked > h2"), page.locator("#history button")):
            text = shown.inner_text().split("\n")[0]
            assert text.endswith("…") and question.startswith(text[:-1]) and 250 < len(text) <= 301
        reason = page.locator(".asked > div > .bad")
        expect(reason).to_contain_text("shorten it")
        expect(reason).to_be_in_viewport()
        page.get_by_text("The whole question").click()
        expect(page.locator(".asked .whole")).to_have_text(question.strip())
        assert not script.requests


@pytest.mark.parametrize("blank", ["", " \n "])
def test_a_blank_question_is_told_what_is_missing(blank: str) -> None:
    with asking(FBN1) as (page, _, script):
        ask(page, blank)
        expect(page.get_by_role("status")).to_have_text("Write a question first.")
        expect(page.get_by_label("Question", exact=True)).to_be_focused()
        assert not script.requests and page.locator(".asked").count() == 0


@pytest.mark.parametrize("samples", ["", "0", "65"])
def test_a_number_of_samples_that_is_none_asks_nothing(samples: str) -> None:
    with asking(FBN1) as (page, _, script):
        page.get_by_label("Samples").fill(samples)
        ask(page)
        page.wait_for_timeout(100)
        assert not script.requests and page.locator(".asked").count() == 0
