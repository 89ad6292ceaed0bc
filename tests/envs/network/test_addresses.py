"""Which addresses may be asked, and that what was checked is what is connected to."""

import asyncio
import ipaddress

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.network.addresses import (
    CheckedBackend,
    Forbidden,
    NoSuchHost,
    Reach,
    is_public,
    parse_address,
    system_resolve,
)
from tests.web import PUBLIC

#: Where our table is stricter than the library's: relays, Azure's host service, 2001::/23 and what is no 2000::/3.
_RELAYS = tuple(map(ipaddress.ip_network, ("192.88.99.0/24", "168.63.129.16/32", "192.0.0.0/24", "224.0.0.0/4")))


@given(st.ip_addresses(v=4))
def test_a_public_ipv4_address_is_what_the_library_calls_global(ip: ipaddress.IPv4Address) -> None:
    relay = any(ip in network for network in _RELAYS)
    assert is_public(str(ip)) == (ip.is_global and not relay)


@given(st.ip_addresses(v=6))
def test_a_public_ipv6_address_is_global_and_embeds_no_ipv4_address(ip: ipaddress.IPv6Address) -> None:
    if is_public(str(ip)):
        assert ip.is_global and not (ip.ipv4_mapped or ip.sixtofour or ip.teredo or ip.is_multicast)


@given(st.ip_addresses(v=4))
def test_no_ipv6_spelling_of_an_ipv4_address_is_public(ip: ipaddress.IPv4Address) -> None:
    number = int(ip)
    spellings = [f"::ffff:{ip}", f"::{ip}", f"64:ff9b::{ip}", f"64:ff9b:1::{ip}"]
    spellings += [str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80)))]
    spellings += [str(ipaddress.IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF)))]
    assert not any(map(is_public, spellings))


@pytest.mark.parametrize(
    "ip", ["8.8.8.8", "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2001:4860::8888"]
)
def test_public_addresses(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.parametrize("ip", ["", "x", "127.1", "0x7f.1", "2130706433", "127.0.0.01", "2606::1%eth0", "8.8.8.8 "])
def test_what_is_no_canonical_address_is_not_public(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize(
    ("given_as", "read_as"),
    [
        ("https://www.nlm.nih.gov", "https://www.nlm.nih.gov"),
        ("HTTPS://WWW.Example.ORG:443/A?b=c#part", "https://www.example.org/A?b=c"),
        ("http://bücher.example.org/", "http://xn--bcher-kva.example.org/"),
        ("http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:80/x", "http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/x"),
        ("https://a_b.example.org/ü", "https://a_b.example.org/%C3%BC"),
    ],
)
def test_addresses_that_are_read(given_as: str, read_as: str) -> None:
    assert str(parse_address(given_as)) == read_as


@given(st.text(max_size=60) | st.text(alphabet="htps:/.@[]%127x0\\#?a", max_size=40).map("http://".__add__))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        url = parse_address(text)
    except Forbidden:
        return
    assert url.scheme in ("http", "https") and not url.userinfo and url.port is None
    host = url.raw_host.decode()
    assert is_public(host) or (host.count(".") and not host.rpartition(".")[2].isdigit())


def test_a_name_leads_nowhere_if_one_of_its_addresses_is_private() -> None:
    asked: list[str] = []

    async def resolve(host: str) -> list[str]:
        return [PUBLIC, "10.0.0.1"]

    async def connect(address: str, port: int) -> httpcore.AsyncNetworkStream:
        asked.append(address)
        return httpcore.AsyncMockStream([])

    with pytest.raises(Forbidden, match="not public"):
        asyncio.run(Reach(resolve, connect).open("example.org", 80))
    assert asked == []


def test_the_next_address_is_tried_and_only_those_that_were_checked() -> None:
    asked: list[tuple[str, int]] = []
    addresses = [PUBLIC, "8.8.8.8", "9.9.9.9"]

    async def resolve(host: str) -> list[str]:
        return addresses

    async def connect(address: str, port: int) -> httpcore.AsyncNetworkStream:
        asked.append((address, port))
        if len(asked) < 2:
            raise httpcore.ConnectTimeout("silence")
        return httpcore.AsyncMockStream([])

    asyncio.run(CheckedBackend(Reach(resolve, connect)).connect_tcp("example.org", 443))
    assert asked == [(PUBLIC, 443), ("8.8.8.8", 443)]


def test_our_own_names_are_resolved_and_refused() -> None:
    assert "127.0.0.1" in asyncio.run(system_resolve("localhost")) or "::1" in asyncio.run(system_resolve("localhost"))
    with pytest.raises(Forbidden):
        asyncio.run(Reach().open("localhost", 80))


@pytest.mark.parametrize("host", ["a" * 70 + ".com", "..", "-.invalid\udcff"])
def test_a_name_that_can_be_none_has_no_address(host: str) -> None:
    with pytest.raises((NoSuchHost, OSError)):
        asyncio.run(system_resolve(host))
