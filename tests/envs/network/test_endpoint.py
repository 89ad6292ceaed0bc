"""The client against a real server on the loopback address, which behaves badly in every way we know."""

import asyncio
import json
import logging
import pickle
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest

from envs.network.endpoint import MOST_BYTES, Endpoint
from envs.network.outcomes import DOWN_AFTER, NONSENSE_AFTER, Failure, Item, Outcome, SetAside
from medrl.errors import ConfigError, InfrastructureError
from medrl.sections.endpoint import EndpointConfig
from medrl.types import Message
from tests.misbehaving import (
    Asked,
    Behaviour,
    Floods,
    MisbehavingServer,
    after,
    breaks_off,
    hangs,
    hangs_up,
    is_not_http,
    raw,
    says,
    status,
    trickles,
)

T = TypeVar("T")
KEY = "sk-correct-horse-battery"
DEFAULTS = {"model": "m", "timeout_s": 30.0, "key_variable": "OPENAI_API_KEY"}
SHORT_S = 0.3
"""A deadline that is meant to pass."""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(autouse=True)
def _no_key_in_logs(caplog: pytest.LogCaptureFixture) -> object:
    caplog.set_level(logging.DEBUG)
    yield
    assert KEY not in caplog.text


def integer(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def item(name: str) -> Item[int]:
    return Item(name, [Message("user", name)], integer)


class Client:
    """Endpoints whose pauses are noted and not waited for."""

    def __init__(self, server: MisbehavingServer, **settings: object) -> None:
        self.config = EndpointConfig.model_validate(DEFAULTS | {"url": server.url} | settings)
        self.pauses: list[float] = []

    def ask(self, question: str = "How many?") -> int:
        return self._run(lambda endpoint: endpoint.ask([Message("user", question)], parse=integer))

    def ask_all(self, items: Sequence[Item[int]], keep: Callable[[str, int], None] | None = None) -> Outcome[int]:
        return self._run(lambda endpoint: endpoint.ask_all(items, keep=keep))

    def _run(self, work: Callable[[Endpoint], Awaitable[T]]) -> T:
        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        async def run() -> T:
            async with Endpoint(self.config, seed=7, sleep=pause) as endpoint:
                assert KEY not in repr(endpoint)
                return await work(endpoint)

        return asyncio.run(run())


def failure_of(behaviour: Behaviour, **settings: object) -> SetAside:
    """Why an item is set aside where every attempt meets this."""
    with MisbehavingServer([behaviour]) as server:
        client = Client(server, **{"attempts": 3, **settings})
        with pytest.raises(SetAside) as caught:
            client.ask()
        assert len(server.requests) == len(caught.value.reasons) == client.config.attempts
        assert len(client.pauses) == client.config.attempts - 1
    assert KEY not in str(caught.value) + repr(caught.value)
    assert str(caught.value).startswith(f"m at {client.config.host}: {caught.value.reasons[-1]} (")
    return caught.value


def test_what_is_asked() -> None:
    with MisbehavingServer([says("7")]) as server:
        assert Client(server, temperature=0.2, max_tokens=5).ask("Wie groß? \ud800") == 7
    (asked,) = server.requests
    assert asked.target == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}" and asked.headers["accept-encoding"] == "identity"
    assert asked.body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Wie groß? \ud800"}],
        "temperature": 0.2,
        "max_tokens": 5,
    }


def test_the_key_is_that_of_the_named_variable_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", "another")
    with MisbehavingServer([says("7")]) as server:
        Client(server, key_variable="OTHER_KEY").ask()
        Client(server, key_variable="NO_SUCH_KEY").ask()
        monkeypatch.setenv("OTHER_KEY", "")
        Client(server, key_variable="OTHER_KEY").ask()
    assert [asked.headers.get("authorization") for asked in server.requests] == ["Bearer another", None, None]


@pytest.mark.parametrize("broken", [f"{KEY}\n", f" {KEY}", f"{KEY}é", f"{KEY}\r\nX-Other: 1"])
def test_a_key_that_can_be_none_is_refused_unseen(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", broken)
    with MisbehavingServer([says("7")]) as server:
        with pytest.raises(ConfigError, match="^OPENAI_API_KEY in the environment holds a blank") as caught:
            Client(server).ask()
        assert not server.requests and KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("behaviour", "failure", "reason"),
    [
        (hangs_up, Failure.NO_REPLY, "RemoteProtocolError"),
        (breaks_off, Failure.NO_REPLY, "RemoteProtocolError"),
        (is_not_http, Failure.NO_REPLY, "RemoteProtocolError"),
        (status(429), Failure.NO_REPLY, "HTTP status 429"),
        (status(500), Failure.NO_REPLY, "HTTP status 500"),
        (status(503, "x" * 100_000), Failure.NO_REPLY, "HTTP status 503"),
        (raw(b"<html>down</html>"), Failure.NO_REPLY, "not a chat completion: Invalid JSON"),
        (raw(b'{"answer": 7}'), Failure.NO_REPLY, "not a chat completion: choices: Field required"),
        (raw(b"7", 204), Failure.NO_REPLY, "not a chat completion"),
        (says(""), Failure.NO_REPLY, "an empty reply"),
        (says(None, "length"), Failure.NO_REPLY, "an empty reply, cut off at max_tokens=1024"),
        (says("seven\nor so"), Failure.UNREADABLE, "no answer in the reply 'seven or so'"),
        (says("sev", "length"), Failure.UNREADABLE, "no answer in the reply 'sev', cut off at max_tokens=1024"),
        (says(f"Your key is {KEY}."), Failure.UNREADABLE, "no answer in the reply 'Your key is [key].'"),
        (says("seven" + " " * 500 + "or so"), Failure.UNREADABLE, "no answer in the reply 'seven'"),
        (says("x" * 190 + KEY), Failure.UNREADABLE, "no answer in the reply '" + "x" * 190 + "[key]'"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_may_pass_is_tried_again_and_then_the_item_set_aside(
    behaviour: Behaviour, failure: Failure, reason: str
) -> None:
    aside = failure_of(behaviour)
    assert aside.failure is failure
    assert all(each.startswith(reason) for each in aside.reasons), aside.reasons


@pytest.mark.parametrize("behaviour", [hangs, trickles])
def test_a_deadline_holds_for_the_whole_attempt(behaviour: Behaviour) -> None:
    aside = failure_of(behaviour, attempts=1, timeout_s=SHORT_S)
    assert aside.reasons == ("no whole answer within 0.3 s",) and aside.failure is Failure.NO_REPLY


def test_a_flood_is_not_read_to_its_end() -> None:
    flood = Floods()
    aside = failure_of(flood, attempts=1)
    assert aside.reasons == (f"an answer of more than {MOST_BYTES:,} bytes",)
    assert flood.sent < 50_000_000  # what the system buffers on the way is some megabytes


def test_no_connection_is_tried_again() -> None:
    with MisbehavingServer([hangs]) as server:
        client = Client(server, attempts=2)
    with pytest.raises(SetAside) as caught:  # nothing listens there any more
        client.ask()
    assert [reason.split(":")[0] for reason in caught.value.reasons] == ["ConnectError"] * 2


def test_one_after_the_other_until_one_is_read() -> None:
    script = [status(503), breaks_off, says("seven"), raw(b"<html>"), says("7"), says("8")]
    with MisbehavingServer(script) as server:
        client = Client(server, attempts=9, temperature=0.0)
        assert client.ask() == 7
    # Warmer once the model has said something that could not be read: asked just so it would say it again.
    assert [asked.body["temperature"] for asked in server.requests] == [0.0, 0.0, 0.0, 0.7, 0.7]
    assert len({json.dumps(asked.body["messages"]) for asked in server.requests}) == 1
    for pause, whole in zip(client.pauses, (1, 2, 4, 8), strict=True):
        assert whole / 2 <= pause <= whole


def test_a_temperature_above_is_left_as_it_is() -> None:
    with MisbehavingServer([says("seven"), says("7")]) as server:
        assert Client(server, temperature=1.2).ask() == 7
    assert [asked.body["temperature"] for asked in server.requests] == [1.2, 1.2]


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("30", 30, 30), ("100000", 60, 60), ("Fri, 31 Dec 2100 23:59:59 GMT", 60, 60), ("0", 0.5, 1), ("soon", 0.5, 1)],
)
def test_a_server_is_given_the_time_it_asks_for(header: str, least: float, most: float) -> None:
    with MisbehavingServer([status(429, Retry_After=header), says("7")]) as server:
        client = Client(server)
        assert client.ask() == 7
    (pause,) = client.pauses
    assert least <= pause <= most


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (401, "does not take the key in OPENAI_API_KEY"),
        (403, "does not take the key in OPENAI_API_KEY"),
        (404, "no such model or address: mend model, or url"),
        (402, "mend url, model or the account there"),
    ],
)
def test_what_every_item_would_meet_ends_the_work_at_once(code: int, said: str) -> None:
    with MisbehavingServer([status(code, f"wrong key {KEY}")]) as server:
        client = Client(server, concurrency=1)
        with pytest.raises(ConfigError, match=rf"^m at 127.0.0.1:\d+: HTTP status {code}; .*{said}") as alone:
            client.ask()
        with pytest.raises(ConfigError, match=said) as together:
            client.ask_all([item(str(number)) for number in range(50)])
    assert len(server.requests) == 2 and not client.pauses
    assert KEY not in str(alone.value) + str(together.value)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(code: int) -> None:
    with MisbehavingServer([says("7")]) as thief, MisbehavingServer([status(code, Location=thief.url)]) as server:
        with pytest.raises(ConfigError, match=f"HTTP status {code}; .* where the key must not go") as caught:
            Client(server).ask()
        assert len(server.requests) == 1 and not thief.requests
    assert KEY not in str(caught.value)


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


def test_a_host_that_no_name_can_be_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigError, match="^url of m: Invalid IDNA hostname"):
        Endpoint(EndpointConfig(url="http://☃.example/v1", model="m"))


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


def test_what_was_set_aside_comes_whole_from_another_process() -> None:
    aside = SetAside("m at host", Failure.REFUSED, ("HTTP status 503", "HTTP status 400"))
    again = pickle.loads(pickle.dumps(aside))  # noqa: S301
    assert (again.failure, again.reasons) == (aside.failure, aside.reasons)
    assert str(again) == str(aside) == "m at host: HTTP status 400 (2 attempts)"
