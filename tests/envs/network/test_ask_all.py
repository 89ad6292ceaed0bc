"""An endpoint that is asked many things at once: their order, what is set aside, and what ends the work."""

import asyncio
import random
from collections import Counter, defaultdict

import pytest

from envs.network.endpoint import MOST_BYTES
from envs.network.outcomes import DOWN_AFTER, NONSENSE_AFTER, Failure, Item, Outcome, SetAside
from medrl.errors import ConfigError, InfrastructureError
from medrl.types import Message
from tests.envs.asking import KEY
from tests.envs.network.endpoints import Client, item
from tests.misbehaving import (
    Asked,
    Behaviour,
    MisbehavingServer,
    after,
    breaks_off,
    hangs_up,
    is_not_http,
    raw,
    says,
    status,
)

pytestmark = pytest.mark.usefixtures("environment", "no_key_in_logs")


def test_a_refused_request_is_set_aside_unless_all_are() -> None:
    refusal = status(400, f'{{"error": "longer than 2048 tokens, {KEY}"}}')

    def script(asked: Asked) -> Behaviour:
        return refusal if asked.question.startswith("long") else says("7")

    with MisbehavingServer(script) as server:
        client = Client(server, concurrency=1)
        outcome = client.ask_all([item("short"), item("long"), item("short, too")])
        assert outcome.answers == {"short": 7, "short, too": 7}
        assert outcome.set_aside["long"].failure is Failure.REFUSED
        assert outcome.set_aside["long"].reasons == (
            """HTTP status 400, '{"error": "longer than 2048 tokens, [key]"}'""",
        )
        assert len(server.requests) == 3
        with pytest.raises(ConfigError, match=r"HTTP status 400, .*longer than 2048 .*mend model") as caught:
            client.ask_all([item(f"long {number}") for number in range(50)])
        assert len(server.requests) == 4 and KEY not in str(caught.value)


def test_a_refusal_after_nonsense_is_the_item_s_own() -> None:
    def script(asked: Asked) -> Behaviour:
        return status(413) if asked.question == "long" else says("seven")

    with MisbehavingServer(script) as server:
        outcome = Client(server, concurrency=1, attempts=1).ask_all([item("short"), item("long"), item("short, too")])
    failures = [aside.failure for aside in outcome.set_aside.values()]
    assert failures == [Failure.UNREADABLE, Failure.REFUSED, Failure.UNREADABLE]


def test_answers_come_in_the_order_of_the_items() -> None:
    kept: list[str] = []

    async def one_is_kept() -> None:
        while not kept:
            await asyncio.sleep(0.001)

    def script(asked: Asked) -> Behaviour:
        return says("5") if asked.question == "5" else after(one_is_kept, says(asked.question))

    names = [str(number) for number in range(6)]
    with MisbehavingServer(script) as server:
        client = Client(server, concurrency=6)
        outcome = client.ask_all([item(name) for name in names], lambda item_id, answer: kept.append(item_id))
    assert kept[0] == "5" and sorted(kept) == names
    assert list(outcome.answers) == names and list(outcome.answers.values()) == list(range(6))


def test_as_many_at_once_as_is_set_and_not_more() -> None:
    barrier: list[asyncio.Barrier] = []

    async def together() -> None:
        if not barrier:
            barrier.append(asyncio.Barrier(4))
        await barrier[0].wait()

    with MisbehavingServer([after(together, says("7"))]) as server:
        outcome = Client(server, concurrency=4).ask_all([item(str(number)) for number in range(12)])
        assert len(outcome.answers) == 12 and server.most_at_once == 4


def test_an_endpoint_that_goes_down_ends_the_work_and_what_was_answered_is_kept() -> None:
    asked_about: list[str] = []

    def script(asked: Asked) -> Behaviour:
        asked_about.append(asked.question)
        return says("7") if len(asked_about) <= 25 else hangs_up

    kept: list[str] = []
    with MisbehavingServer(script) as server:
        client = Client(server, concurrency=1, attempts=2)
        with pytest.raises(InfrastructureError, match="25 of 1000 were answered, 10 set aside") as caught:
            client.ask_all([item(str(number)) for number in range(1000)], lambda item_id, answer: kept.append(item_id))
    assert not isinstance(caught.value, SetAside) and "RemoteProtocolError" in str(caught.value)
    assert kept == [str(number) for number in range(25)]
    assert len(server.requests) == 25 + 2 * DOWN_AFTER


def test_a_model_that_talks_nonsense_now_and_then_is_not_down_and_one_that_always_does_is_of_no_use() -> None:
    items = [item(str(number)) for number in range(3 * NONSENSE_AFTER)]
    with MisbehavingServer(lambda asked: says("7" if asked.question == "0" else "seven")) as server:
        outcome = Client(server, attempts=1, concurrency=1).ask_all(items)
    assert list(outcome.answers) == ["0"] and len(outcome.set_aside) == len(items) - 1
    with MisbehavingServer([says("seven")]) as server:
        assert len(Client(server, attempts=1).ask_all(items[: NONSENSE_AFTER - 1]).set_aside) == NONSENSE_AFTER - 1
        with pytest.raises(InfrastructureError, match="not said one thing that can be read: give another model"):
            Client(server, attempts=1).ask_all(items)


def test_one_answer_in_between_shows_that_the_endpoint_is_not_down() -> None:
    def script(asked: Asked) -> Behaviour:
        return says("7") if int(asked.question) % DOWN_AFTER == DOWN_AFTER - 1 else status(500)

    with MisbehavingServer(script) as server:
        outcome = Client(server, attempts=1, concurrency=1).ask_all([item(str(number)) for number in range(40)])
    assert list(outcome.answers) == ["9", "19", "29", "39"] and len(outcome.set_aside) == 36


def test_a_mistake_of_the_caller_ends_the_work_as_it_is() -> None:
    def parse(text: str) -> int:
        raise ZeroDivisionError

    with MisbehavingServer([says("7")]) as server:
        with pytest.raises(ZeroDivisionError):
            Client(server).ask_all([Item("a", [Message("user", "?")], parse)])
        with pytest.raises(ValueError, match="same id"):
            Client(server).ask_all([item("a"), item("b"), item("a")])
        assert len(server.requests) == 1
        assert Client(server).ask_all([]) == Outcome({}, {})


PASSING: tuple[Behaviour, ...] = (
    hangs_up,
    breaks_off,
    is_not_http,
    status(429, Retry_After="5"),
    status(500),
    raw(b"<html>"),
    raw(b"[]"),
    says(""),
    says("seven"),
    raw(b" " * (MOST_BYTES + 1)),
)


@pytest.mark.contract("7 four kinds of failure", "an endpoint that misbehaves at random: no item is lost or made up")
@pytest.mark.parametrize("seed", range(3))
def test_at_random_nothing_is_lost_and_nothing_made_up(seed: int) -> None:
    rng = random.Random(seed)
    attempts, names = 3, [str(number) for number in range(100)]
    weights = [3] * (len(PASSING) - 1) + [1]
    plans = {name: rng.choices(PASSING, weights, k=attempts) for name in names}
    tried = Counter[str]()
    answered_at: defaultdict[str, int] = defaultdict(lambda: attempts)
    for name in names:
        if rng.random() < 0.8:
            answered_at[name] = rng.randrange(attempts)
            plans[name][answered_at[name]] = says(name)

    def script(asked: Asked) -> Behaviour:
        tried[asked.question] += 1
        return plans[asked.question][tried[asked.question] - 1]

    kept: dict[str, int] = {}
    with MisbehavingServer(script) as server:
        client = Client(server, attempts=attempts)
        outcome = client.ask_all([item(name) for name in names], kept.__setitem__)
        assert server.most_at_once <= client.config.concurrency
    assert outcome.answers == kept == {name: int(name) for name in names if name in answered_at}
    assert list(outcome.set_aside) == [name for name in names if name not in answered_at]
    assert len(outcome.answers) + len(outcome.set_aside) == len(names) and outcome.set_aside
    assert all(len(aside.reasons) == attempts for aside in outcome.set_aside.values())
    assert tried == {name: min(answered_at[name] + 1, attempts) for name in names}
    assert KEY not in repr(outcome)
