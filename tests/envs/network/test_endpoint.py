"""An endpoint that is asked one thing, against a real server that behaves badly in every way we know."""

import json
import pickle

import pytest

from envs.network.endpoint import MOST_BYTES, Endpoint
from envs.network.outcomes import Failure, SetAside
from medrl.errors import ConfigError
from medrl.sections.endpoint import EndpointConfig
from tests.envs.asking import KEY
from tests.envs.network.endpoints import Client, item
from tests.misbehaving import (
    Behaviour,
    Floods,
    MisbehavingServer,
    breaks_off,
    hangs,
    hangs_up,
    is_not_http,
    raw,
    says,
    status,
    trickles,
)

SHORT_S = 0.3
"""A deadline that is meant to pass."""
pytestmark = pytest.mark.usefixtures("environment", "no_key_in_logs")


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


def test_a_host_that_no_name_can_be_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigError, match="^url of m: Invalid IDNA hostname"):
        Endpoint(EndpointConfig(url="http://☃.example/v1", model="m"))


def test_what_was_set_aside_comes_whole_from_another_process() -> None:
    aside = SetAside("m at host", Failure.REFUSED, ("HTTP status 503", "HTTP status 400"))
    again = pickle.loads(pickle.dumps(aside))  # noqa: S301
    assert (again.failure, again.reasons) == (aside.failure, aside.reasons)
    assert str(again) == str(aside) == "m at host: HTTP status 400 (2 attempts)"
