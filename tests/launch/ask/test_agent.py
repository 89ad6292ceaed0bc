"""How a question is played, what is told of it, and what comes of it."""

import asyncio
import itertools
import threading

import pytest

from launch.ask.agent import MOST_QUESTIONS, Agent, Asked, Busy, readable
from launch.ask.calibration import Calibration
from launch.ask.events import Acted, Began, Ended, Event, Failed, Observed, Report, Said
from medrl.errors import DataError, InfrastructureError
from medrl.types import Ending
from tests.launch.ask.fakes import BRCA2, DOWN, FBN1, HITS, SEARCH, SILENT, scripted


def ask(agent: Agent, **how: object) -> tuple[Report, list[Event]]:
    events: list[Event] = []
    asked = Asked("Which gene causes pectus carinatum?", **how)
    return asyncio.run(agent.ask(asked, events.append)), events


def test_what_happens_is_told_in_order() -> None:
    agent, _ = scripted(FBN1)
    report, events = ask(agent, samples=1)
    kinds = [type(event) for event in events if not isinstance(event, Said)]
    assert kinds == [Began, Acted, Observed, Acted, Ended, Report]
    first, observed, last = (event for event in events if isinstance(event, Acted | Observed))
    assert isinstance(first, Acted) and isinstance(observed, Observed) and isinstance(last, Acted)
    assert first.call is not None and first.call.arguments == {"query": "pectus carinatum"}
    assert first.thought == "I look for the disease." and first.turn == observed.turn == 0 and last.turn == 1
    assert observed.text == HITS
    assert [(each.document, each.title, each.is_untrusted) for each in observed.passages] == [
        ("OMIM:154700", "Marfan syndrome (OMIM:154700)", False),
        ("web:1", "Notes of a stranger (web:1)", True),
    ]
    assert last.answer == "FBN1" and events[-1] == report


def test_a_turn_is_told_while_it_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launch.ask.agent.TELL_EVERY_S", 0.0)
    agent, _ = scripted(FBN1)
    _, events = ask(agent, samples=3)
    said = [event for event in events if isinstance(event, Said)]
    assert {event.sample for event in said} == {0}  # the greedy one alone
    first = [event.text for event in said if event.turn == 0]
    assert len(first) > 3 and len(first[0]) < 20
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(first))
    assert not any("<" in text for text in first)
    whole = next(place for place, event in enumerate(events) if isinstance(event, Acted) and event.sample == 0)
    assert isinstance(events[whole - 1], Said)


def test_the_first_sample_is_greedy_and_the_others_are_drawn_each_with_a_seed() -> None:
    agent, script = scripted(FBN1)
    ask(agent, samples=4)
    first_turns = {request: sampling for request, _, sampling in script.requests if request.endswith("/0")}
    assert sorted(sampling.temperature for sampling in first_turns.values()) == [0.0, 1.0, 1.0, 1.0]
    assert len({sampling.seed for sampling in first_turns.values()}) == 4


def test_at_temperature_0_samples_would_be_the_same_so_one_is_played() -> None:
    report, _ = ask(scripted(FBN1)[0], samples=5, temperature=0.0)
    assert report.samples == 1 and "nothing is known of how sure" in report.confidence


def test_most_samples_decide_against_the_greedy_one_and_rivals_are_told() -> None:
    report, _ = ask(scripted(BRCA2, FBN1, FBN1, SILENT, FBN1)[0])
    assert (report.answer, report.shown, report.differs) == ("FBN1", "BRCA2", True)
    assert (report.votes, report.samples) == (3, 5)
    assert [(rival.answer, rival.votes) for rival in report.rivals] == [("BRCA2", 1)]
    assert report.silent == 1 and report.is_sure
    assert report.confidence.startswith("3 of 5 samples give this answer (share 0.60, 95% interval 0.23 to 0.88).")
    assert report.confidence.endswith("agreement of 5 samples, not a calibrated probability.")
    assert "no medical advice" in report.statement


def test_low_agreement_says_that_it_is_unsure() -> None:
    report, _ = ask(scripted(BRCA2, FBN1, SILENT, SILENT)[0], samples=4)
    assert report.answer == "BRCA2" and not report.is_sure  # of equals the greedy one's
    assert report.confidence.startswith("Unsure: only 1 of 4 samples")


def test_no_answer_is_said_so() -> None:
    report, events = ask(scripted(SILENT)[0], samples=3)
    assert report.answer is None and report.citations == () and report.rivals == ()
    assert report.confidence == "No answer: none of 3 samples gave one."
    assert [event.ending for event in events if isinstance(event, Ended)] == [Ending.NO_TOOL_CALL] * 3


def test_an_answer_cites_the_documents_that_show_it_or_that_it_names() -> None:
    report, _ = ask(scripted(FBN1, FBN1, BRCA2)[0], samples=3)
    assert [(each.document, each.shows_answer, each.is_named, each.samples) for each in report.citations] == [
        ("OMIM:154700", True, True, 2)
    ]
    assert report.citations[0].label == "Marfan syndrome (OMIM:154700)"
    other, _ = ask(scripted(BRCA2)[0], samples=2)
    assert [(each.document, each.is_untrusted, each.is_named) for each in other.citations] == [("web:1", True, False)]
    assert other.citations[0].label.endswith("(web:1) [untrusted]")


def test_a_failing_engine_is_tried_again_and_told_so() -> None:
    agent, _ = scripted((SEARCH, DOWN + FBN1[1]))
    report, events = ask(agent, samples=1)
    assert [event.attempt for event in events if isinstance(event, Began)] == [0, 1]
    assert report.answer == "FBN1" and report.failed == ()


def test_what_cannot_be_played_counts_nowhere() -> None:
    report, events = ask(scripted(FBN1, (DOWN,), FBN1)[0], samples=3)
    assert (report.votes, report.samples, report.failed) == (2, 2, ("engine-0 has died",))
    assert [event.sample for event in events if isinstance(event, Failed)] == [1]


def test_if_nothing_can_be_played_that_is_an_error() -> None:
    with pytest.raises(InfrastructureError, match="engine-0 has died"):
        ask(scripted((DOWN,))[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  ", "there is no question"),
        ("word " * 500, r"too long: with the agent's instructions it takes 2,\d\d\d of the 2,000 tokens"),
        ("a <|im_end|> b", r"spells <\|im_end\|>"),
    ],
)
def test_what_cannot_be_asked_is_one_line(text: str, said: str) -> None:
    agent, script = scripted(FBN1)
    with pytest.raises(DataError, match=said) as refused:
        asyncio.run(agent.ask(Asked(text), lambda event: None))
    assert "\n" not in str(refused.value) and not script.requests


def test_more_questions_than_may_be_under_way_are_refused_and_later_taken() -> None:
    async def run() -> None:
        gate = threading.Event()
        agent, _ = scripted(FBN1, gate=gate)
        asked = Asked("Which gene?", 1)
        tasks = [asyncio.create_task(agent.ask(asked, lambda event: None)) for _ in range(MOST_QUESTIONS)]
        await asyncio.sleep(0.05)
        with pytest.raises(Busy):
            await agent.ask(asked, lambda event: None)
        gate.set()
        assert {report.answer for report in await asyncio.gather(*tasks)} == {"FBN1"}
        assert (await agent.ask(asked, lambda event: None)).answer == "FBN1"

    asyncio.run(run())


def test_who_stops_asking_ends_all_its_episodes() -> None:
    async def run() -> None:
        agent, script = scripted(FBN1, gate=threading.Event())
        task = asyncio.create_task(agent.ask(Asked("Which gene?", 4), lambda event: None))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.01)
        assert script.cancelled == 4

    asyncio.run(run())


CALIBRATION = Calibration(3, 1.0, {3: (8, 10), 2: (3, 6)})


@pytest.mark.parametrize(
    ("scripts", "how", "expected"),
    [
        ((FBN1,), {}, (3, 8, 10)),  # the first three of five
        ((FBN1, BRCA2, FBN1), {}, (2, 3, 6)),
        ((FBN1, BRCA2, BRCA2, FBN1, FBN1), {}, None),  # the first three came to something else
        ((FBN1, BRCA2, SILENT), {}, None),  # one vote did not occur
        ((FBN1,), {"samples": 2}, None),
        ((FBN1,), {"temperature": 0.5}, None),
        ((FBN1,), {"is_greedy_first": False}, None),
        ((FBN1,), {"context": "Earlier:\nQuestion: Which disease?\nNow: "}, None),  # held-out questions stand alone
        ((FBN1,), {"max_turn_tokens": 100}, None),
        ((FBN1, (DOWN,), FBN1), {}, None),
    ],
)
def test_held_out_questions_are_compared_where_they_can_be(
    scripts: tuple[tuple[str, ...], ...], how: dict[str, object], expected: tuple[int, int, int] | None
) -> None:
    report, _ = ask(scripted(*scripts, calibration=CALIBRATION)[0], **how)
    found = report.calibrated
    assert (found and (found.votes, found.right, found.n)) == expected
    assert bool(report.calibration) == (expected is not None)


def test_usage_counts_every_token_once() -> None:
    one, _ = ask(scripted(FBN1)[0], samples=1)
    four, _ = ask(scripted(FBN1)[0], samples=4)
    assert one.usage.completion_tokens == sum(len(turn.encode()) + 1 for turn in FBN1)  # a token is a byte; each ends
    assert one.usage.prompt_tokens > len(HITS)
    assert (four.usage.prompt_tokens, four.usage.completion_tokens) == (
        4 * one.usage.prompt_tokens,
        4 * one.usage.completion_tokens,
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<think>I loo", "I loo"),
        ("<think>I look</thi", "I look"),
        ("<think>a < b</think><tool_call>{", "a < b  {"),
        ("<thi", ""),
    ],
)
def test_an_unfinished_turn_is_shown_without_tags(text: str, shown: str) -> None:
    assert readable(text) == shown
