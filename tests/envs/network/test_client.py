"""The client of services against a real server on the loopback address, which behaves badly in every way we know."""

import asyncio
import gzip
import logging
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from envs.network.client import Answer, Network, Rate, Refused, read_json
from medrl.errors import ConfigError, ToolOutage
from medrl.sections.network import NetworkConfig
from tests.envs.asking import ENDLESS, HASTY, KEY, PASSING, QUICK
from tests.misbehaving import Behaviour, Floods, MisbehavingServer, answers, folded, raw, status

T = TypeVar("T")


@pytest.fixture(autouse=True)
def _no_key_in_logs(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    caplog.set_level(logging.DEBUG)
    yield
    assert KEY not in caplog.text


class Client:
    """A network whose pauses are noted and not waited for."""

    def __init__(self, config: NetworkConfig = QUICK, per_second: float | None = None) -> None:
        self.pauses: list[float] = []
        self.network = Network(
            "Registry",
            config,
            per_second=per_second,
            secret=KEY,
            mend="mend it",
            seed=7,
            sleep=self._pause,
            clock=lambda: 0.0,
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def get(self, url: str) -> Answer:
        return asyncio.run(self.network.get(url, {"q": "a b&c=é"}, {"X-Key": KEY}))


class Count(BaseModel):
    count: int


def run(work: Callable[[Network], Awaitable[T]]) -> T:
    async def main() -> T:
        return await work(Client().network)

    return asyncio.run(main())


def test_what_is_asked_and_answered() -> None:
    with MisbehavingServer([raw(b"\xff1", headers={"Content-Type": "Text/XML; charset=x"})]) as server:
        assert Client().get(server.url) == Answer(b"\xff1", "text/xml")
    (asked,) = server.requests
    assert asked.path == "/v1" and asked.query == {"q": "a b&c=é"}
    assert asked.headers["x-key"] == KEY and asked.headers["accept-encoding"] == "gzip, identity"


def test_a_form_and_json_are_sent_as_a_body() -> None:
    read = read_json(Count, "count")
    with MisbehavingServer([answers({"count": 3})]) as server:
        assert run(lambda network: network.post_as(read, server.url, form={"api_key": KEY, "term": "é&b"})).count == 3
        assert run(lambda network: network.post_as(read, server.url, json={"q": 'say "é"'})).count == 3
    assert [asked.body for asked in server.requests] == [{"api_key": KEY, "term": "é&b"}, {"q": 'say "é"'}]
    assert {asked.target for asked in server.requests} == {"/v1"}


def test_gzip_is_unfolded() -> None:
    with MisbehavingServer([folded("Sjögren".encode() * 100)]) as server:
        assert Client().get(server.url).body == "Sjögren".encode() * 100


@pytest.mark.parametrize("size", [99_999, 100_000])
def test_an_answer_of_just_the_longest_size_is_read(size: int) -> None:
    with MisbehavingServer([raw(b"x" * size), folded(b"x" * size)]) as server:
        client = Client()
        assert [len(client.get(server.url).body), len(client.get(server.url).body)] == [size, size]


@pytest.mark.parametrize(("behaviour", "reason"), PASSING, ids=[reason for _, reason in PASSING])
def test_what_may_pass_is_tried_again(behaviour: Behaviour, reason: str) -> None:
    with MisbehavingServer([behaviour]) as server:
        client = Client()
        with pytest.raises(ToolOutage, match=rf"^Registry: {reason}.* \(3 attempts\)$") as caught:
            client.get(server.url)
        assert len(server.requests) == 3 and len(client.pauses) == 2
        assert KEY not in str(caught.value) and caught.value.__context__ is None
    with MisbehavingServer([behaviour, behaviour, raw(b"well")]) as server:
        assert Client().get(server.url).body == b"well"


@pytest.mark.parametrize("behaviour", ENDLESS)
def test_a_deadline_holds_for_the_whole_attempt(behaviour: Behaviour) -> None:
    with MisbehavingServer([behaviour]) as server, pytest.raises(ToolOutage) as caught:
        Client(HASTY).get(server.url)
    assert str(caught.value) == "Registry: no whole answer within 0.3 s (1 attempt)"


def test_nobody_there_is_an_outage() -> None:
    with MisbehavingServer([status(200)]) as server:
        url = server.url
    with pytest.raises(ToolOutage, match=r"^Registry: ConnectError: .* \(3 attempts\)$"):
        Client().get(url)


def test_memory_is_bounded_whatever_is_sent() -> None:
    """A flood is let through no further than the system buffers it; a bomb of 200 MB is not unfolded."""
    flood = Floods()
    bomb = folded(b"\0" * 200_000_000)
    with MisbehavingServer([flood, bomb]) as server:
        client = Client(QUICK.model_copy(update={"attempts": 2}))
        tracemalloc.start()
        try:
            with pytest.raises(ToolOutage, match="more than 100,000 bytes"):
                client.get(server.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert flood.sent < 50_000_000 and peak < 20_000_000


@pytest.mark.parametrize(("header", "least", "most"), [("30", 30, 30), ("100000", 60, 60), ("soon", 0, 1)])
def test_a_service_is_given_the_time_it_asks_for(header: str, least: float, most: float) -> None:
    with MisbehavingServer([status(429, Retry_After=header), raw(b"well")]) as server:
        client = Client(QUICK.model_copy(update={"backoff_s": 1.0}))
        assert client.get(server.url).body == b"well"
    (pause,) = client.pauses
    assert least <= pause <= most


def test_pauses_double() -> None:
    with MisbehavingServer([status(503)]) as server:
        client = Client(QUICK.model_copy(update={"backoff_s": 1.0, "attempts": 5}))
        with pytest.raises(ToolOutage):
            client.get(server.url)
    for pause, whole in zip(client.pauses, (1, 2, 4, 8), strict=True):
        assert whole / 2 <= pause <= whole


@pytest.mark.parametrize("code", [400, 404, 413, 422])
def test_a_refusal_is_for_the_caller_at_once(code: int) -> None:
    with MisbehavingServer([status(code, "x" * 190 + KEY)]) as server:
        client = Client()
        with pytest.raises(Refused, match=rf"^Registry: HTTP status {code}, 'x+\[key\]'$") as caught:
            client.get(server.url)
    assert caught.value.status == code and len(server.requests) == 1 and not client.pauses
    assert "battery" not in str(caught.value)


def test_the_words_of_a_refusal_are_unfolded() -> None:
    def refusal(body: bytes) -> Behaviour:
        return raw(body, 403, {"Content-Encoding": "gzip"})

    for body, said in ((gzip.compress(f"no {KEY}".encode() * 1000), r"'no \[key\]no "), (b"not gzip", "''; mend it")):
        with MisbehavingServer([refusal(body)]) as server, pytest.raises(ConfigError, match=f"status 403, {said}"):
            Client().get(server.url)


@pytest.mark.parametrize("code", [401, 402, 403, 405])
def test_what_every_request_would_meet_ends_the_work(code: int) -> None:
    with MisbehavingServer([status(code, f"wrong key {KEY}")]) as server:
        with pytest.raises(ConfigError, match=rf"^Registry: HTTP status {code}, 'wrong key \[key\]'; mend it$"):
            Client().get(server.url)
        assert len(server.requests) == 1


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(code: int) -> None:
    with MisbehavingServer([raw(b"")]) as thief, MisbehavingServer([status(code, Location=thief.url)]) as server:
        with pytest.raises(ConfigError, match=f"HTTP status {code}"):
            Client().get(server.url)
        assert not thief.requests


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", r"no count \(Invalid JSON: .*\)"),
        (b'{"count": "many"}', r"no count \(count: Input should be a valid integer.*\)"),
        (b"{}", r"no count \(count: Field required\)"),
        (b"[" * 90_000, r"no count \(Invalid JSON: .*\)"),
        (b"", r"no count \(Invalid JSON: .*\)"),
    ],
)
def test_an_answer_that_cannot_be_read_is_a_failed_attempt(body: bytes, said: str) -> None:
    read = read_json(Count, "count")
    with MisbehavingServer([raw(body), answers({"count": 3})]) as server:
        assert run(lambda network: network.get_as(read, server.url)) == Count(count=3)
    outage = rf"^Registry: answered something that is {said} \(3 attempts\)$"
    with MisbehavingServer([raw(body)]) as server, pytest.raises(ToolOutage, match=outage):
        run(lambda network: network.get_as(read, server.url))


def test_an_address_that_is_none_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"^Registry: its address is none"):
        Client().get("http://☃.example/")


def test_one_network_serves_loop_after_loop() -> None:
    with MisbehavingServer([raw(b"well")]) as server:
        client = Client()
        for _ in range(5):
            assert client.get(server.url).body == b"well"


def test_every_attempt_takes_its_turn() -> None:
    """Three attempts at 4 a second, of which two processes take half each: the second and third wait for their turn."""
    with MisbehavingServer([status(503)]) as server:
        client = Client(QUICK.model_copy(update={"processes": 2}), per_second=4.0)
        with pytest.raises(ToolOutage):
            client.get(server.url)
    assert [pause for pause in client.pauses if pause > 0] == [0.5, 1.0]  # the clock stands still


@given(st.floats(0.1, 100.0), st.lists(st.floats(0.0, 30.0), min_size=1, max_size=60))
def test_turns_are_spaced_and_none_waits_for_nothing(per_second: float, gaps: list[float]) -> None:
    """Against a list of all turns: each is the earliest moment that is neither past nor too near to the one before."""
    now = 0.0
    rate = Rate(per_second, clock=lambda: now)
    turns: list[float] = []
    for gap in gaps:
        now += gap
        turns.append(now + rate.turn())
        earliest = max([now] + [turn + 1.0 / per_second for turn in turns[:-1]])
        assert turns[-1] == pytest.approx(earliest)
    for start in turns:
        inside = [turn for turn in turns if start <= turn < start + 1.0 - 1e-6]
        assert len(inside) <= per_second + 1
