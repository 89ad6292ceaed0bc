"""Fetching a page: what arrives, and whose doing it is when nothing does."""

import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from envs.network.addresses import Refusal
from envs.network.fetching import Fetched, Fetcher, Unreadable
from medrl.errors import ToolOutage
from medrl.sections.pages import PagesConfig
from tests.misbehaving import Asked, Behaviour, MisbehavingServer, hangs, hangs_up, raw, status
from tests.web import QUICK, REFERENCE, SmallWeb

PAGE = {"Content-Type": "Text/HTML; Charset=UTF-8"}
OK = raw(b"<p>FBN1</p>", headers=PAGE)


def fetch(
    script: Sequence[Behaviour] | Callable[[Asked], Behaviour],
    address: str = "http://www.example.org/a?b=c",
    answers: Mapping[str, Sequence[Sequence[str]]] | None = None,
    config: PagesConfig = QUICK,
) -> tuple[Fetched | Exception, MisbehavingServer, SmallWeb]:
    """What came of it, the server, and the web that it was asked through."""
    with MisbehavingServer(script) as server:
        web = SmallWeb(server.port, answers)
        return attempt(web, address, config), server, web


def attempt(web: SmallWeb, address: str, config: PagesConfig = QUICK) -> Fetched | Exception:
    try:
        return asyncio.run(Fetcher(config, reach=web.reach, reference=REFERENCE).fetch(address))
    except (Refusal, Unreadable, ToolOutage) as error:
        return error


def test_a_page_arrives_with_what_it_says_it_is() -> None:
    found, server, web = fetch([OK])
    assert found == Fetched(b"<p>FBN1</p>", "text/html", "utf-8", "http://www.example.org/a?b=c")
    asked = server.requests[0]
    assert asked.target == "/a?b=c" and asked.headers["host"] == "www.example.org" and "cookie" not in asked.headers
    assert web.resolved == ["www.example.org"] and len(web.asked) == 1


def test_gzip_is_unfolded() -> None:
    found, _, _ = fetch([raw(gzip.compress(b"text " * 1000), headers=PAGE | {"Content-Encoding": "gzip"})])
    assert isinstance(found, Fetched) and found.body == b"text " * 1000


def test_redirects_are_followed_and_every_host_is_looked_up() -> None:
    moved = [status(302, Location="//b.example.org/x"), status(308, Location="y?z=1"), OK]
    found, server, web = fetch(moved, "http://a.example.org/")
    assert isinstance(found, Fetched) and found.url == "http://b.example.org/y?z=1"
    assert web.resolved == ["a.example.org", "b.example.org", "b.example.org"]
    assert [asked.target for asked in server.requests] == ["/", "/x", "/y?z=1"]


@pytest.mark.parametrize("first", [status(503), status(429), hangs_up])
def test_what_may_pass_is_tried_again(first: Behaviour) -> None:
    found, server, _ = fetch([first, OK])
    assert isinstance(found, Fetched) and len(server.requests) == 2


@pytest.mark.parametrize(
    ("code", "said"), [(404, "404"), (403, "403"), (410, "no such page"), (401, "401"), (451, "451")]
)
def test_what_the_server_denies_is_the_models_mistake_at_once(code: int, said: str) -> None:
    found, server, _ = fetch([status(code)])
    assert isinstance(found, Refusal) and said in str(found) and len(server.requests) == 1


def test_a_page_that_is_down_is_no_outage() -> None:
    for script in ([status(500)], [hangs_up], [hangs]):
        found, _, web = fetch(script, config=QUICK.model_copy(update={"timeout_s": 0.5}))
        assert isinstance(found, Unreadable), found
        web.assert_public()


def test_the_reference_is_asked_only_where_no_page_answered() -> None:
    assert REFERENCE not in fetch([status(500)])[2].resolved
    assert fetch([hangs_up])[2].resolved[-1] == REFERENCE


@pytest.mark.contract("7 four kinds of failure", "one page that is down is told to the model, no network is an outage")
@pytest.mark.parametrize("address", ["http://www.example.org/", "https://8.8.8.8/"])
def test_no_network_is_an_outage(address: str) -> None:
    found = attempt(SmallWeb(1, up=False), address)
    assert isinstance(found, ToolOutage) and REFERENCE in str(found)


def test_a_name_without_address_is_the_models_mistake_while_others_have_one() -> None:
    found, _, _ = fetch([OK], answers={"www.example.org": [[]]})
    assert isinstance(found, Refusal) and "no such host" in str(found)
    found, _, _ = fetch([OK], answers={"www.example.org": [[]], REFERENCE: [[]]})
    assert isinstance(found, ToolOutage)


def test_an_address_that_is_refused_makes_no_request_at_all() -> None:
    found, server, web = fetch([OK], "http://127.0.0.1/")
    assert isinstance(found, Refusal) and not (server.requests or web.asked or web.resolved)


def test_the_default_refuses_our_own_machine() -> None:
    with MisbehavingServer([OK]) as server:
        for address in (server.url, "http://localhost/", f"http://localhost.localdomain:{server.port}/"):
            with pytest.raises((Refusal, Unreadable, ToolOutage)):
                asyncio.run(Fetcher(QUICK).fetch(address))
    assert server.requests == []


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert isinstance(fetch([OK])[0], Fetched)


def certificate(folder: Path, name: str) -> Path:
    """A certificate for `name` that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    whose = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(whose, whose, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(made.public_bytes(encoding) + secret)
    return path


@pytest.mark.parametrize(
    ("host", "trusted", "arrives"),
    [("www.example.org", True, True), ("b.example.org", True, False), ("www.example.org", False, False)],
)
def test_tls_proves_the_name_and_not_the_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, trusted: bool, arrives: bool
) -> None:
    path = certificate(tmp_path, "www.example.org")
    if trusted:
        context = ssl.create_default_context(cafile=str(path))
        monkeypatch.setattr("envs.network.fetching.httpx.create_ssl_context", lambda **_: context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await OK(writer)
        writer.close()

    async def run() -> Fetched:
        secret = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        secret.load_cert_chain(path)
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=secret)
        async with server:
            web = SmallWeb(server.sockets[0].getsockname()[1])
            return await Fetcher(QUICK, reach=web.reach, reference=REFERENCE).fetch(f"https://{host}/")

    if arrives:
        assert asyncio.run(run()).body == b"<p>FBN1</p>"
    else:
        with pytest.raises(Unreadable, match="connection"):
            asyncio.run(run())


def test_pauses_and_attempts_follow_the_settings() -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    wait: Callable[[float], Awaitable[object]] = sleep
    with MisbehavingServer([status(503)]) as server:
        config = PagesConfig(attempts=4, backoff_s=2.0)
        fetcher = Fetcher(config, reach=SmallWeb(server.port).reach, reference=REFERENCE, sleep=wait)
        with pytest.raises(Unreadable, match="503"):
            asyncio.run(fetcher.fetch("http://www.example.org/"))
    assert len(server.requests) == 4
    assert [1 <= pauses[0] <= 2, 2 <= pauses[1] <= 4, 4 <= pauses[2] <= 8] == [True] * 3
