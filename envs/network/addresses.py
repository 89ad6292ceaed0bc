"""Which addresses on the web may be asked: public ones, and what is checked is what is connected to.

A policy under training writes the address, or a page does that sends readers on, so it may point at machines that only
we can reach: our own, the neighbours', a cloud's metadata service. Hence:

    the address   http or https on its usual port, a plain host name or a canonical IP; no user name, no zone
    the name      resolved here, once a connection; one address that is not public refuses it
    connecting    to an address that was checked; TLS still proves the name

No proxy is used, whatever the environment says: it would resolve the name again, behind our check.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import httpcore
import httpx

Resolve = Callable[[str], Awaitable[list[str]]]
Connect = Callable[[str, int], Awaitable[httpcore.AsyncNetworkStream]]
SocketOptions = Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]]

_PORTS = {"http": 80, "https": 443}
_LONGEST = 2_000
_CONNECT_S = 5.0
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)+(?:[a-z]{{2,63}}|xn--[a-z0-9-]{{1,59}})")

#: IPv4 networks that are not public (IANA's registry of special purposes), and Azure's host service.
_SPECIAL_4 = tuple(
    map(
        ipaddress.IPv4Network,
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24"
        " 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
        " 168.63.129.16/32".split(),
    )
)
#: Only global unicast is public: what maps or embeds IPv4 (::, ::ffff:0:0/96, NAT64) lies outside of it.
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
#: Within it: protocol assignments with Teredo, documentation, 6to4.
_SPECIAL_6 = tuple(map(ipaddress.IPv6Network, "2001::/23 2001:db8::/32 2002::/16 3fff::/20".split()))


class Refusal(Exception):
    """The model asked for what it cannot have; the message tells it why."""


class Forbidden(Refusal):
    """This address will not be asked, whoever gave it."""


class NoSuchHost(Exception):
    """The name has no address."""


def is_public(address: str) -> bool:
    """Whether an IP address in canonical form is one of the open internet; False for what is no such address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _SPECIAL_4)
    return ip.scope_id is None and ip in _GLOBAL_6 and not any(ip in network for network in _SPECIAL_6)


def parse_address(address: str) -> httpx.URL:
    """A web address, without its fragment; no name is looked up. Raises Forbidden if it is none that may be asked."""
    if len(address) > _LONGEST:
        raise Forbidden(f"an address has at most {_LONGEST} characters")
    if re.search(r"[\s\\]", address) or not address.isprintable():
        raise Forbidden("an address has no blanks, backslashes or control characters")
    try:
        url = httpx.URL(address)
        host = url.raw_host.decode("ascii")
        port = _PORTS.get(url.scheme) if url.port is None else url.port
    except (httpx.InvalidURL, ValueError):  # the latter: bytes that are no text, an IDNA label that is none
        raise Forbidden("that is not an address such as https://example.org/page") from None
    if url.scheme not in _PORTS:
        raise Forbidden("only http and https addresses are read")
    if url.userinfo or "@" in url.netloc.decode("ascii"):
        raise Forbidden("an address holds no user name")
    if port != _PORTS[url.scheme]:
        raise Forbidden("only the usual ports are read, 80 for http and 443 for https")
    if not (_NAME.fullmatch(host) or _is_ip(host)):
        raise Forbidden("its host is not a full name such as www.example.org")
    if _is_ip(host) and not is_public(host):
        raise Forbidden("its host is not public")
    return url.copy_with(fragment=None)


def _is_ip(host: str) -> bool:
    """Whether it is an IP address in its canonical form: four decimals without leading zeros, or IPv6."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def system_resolve(host: str) -> list[str]:
    """The addresses of a name, as the system gives them. Raises NoSuchHost, OSError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
            raise NoSuchHost(host) from None
        raise
    except UnicodeError:
        raise NoSuchHost(host) from None
    return list(dict.fromkeys(str(each[4][0]) for each in found))


async def system_connect(address: str, port: int) -> httpcore.AsyncNetworkStream:
    """A TCP connection to an IP address. Raises httpcore.ConnectError, httpcore.ConnectTimeout."""
    return await httpcore.AnyIOBackend().connect_tcp(address, port, timeout=_CONNECT_S)


@dataclass(frozen=True, slots=True)
class Reach:
    """How names become addresses and addresses connections, and which may be asked."""

    resolve: Resolve = system_resolve
    connect: Connect = system_connect
    permits: Callable[[str], bool] = is_public

    async def open(self, host: str, port: int) -> httpcore.AsyncNetworkStream:
        """A connection to the first address of `host` that takes one; all of them must be permitted.

        Raises Forbidden, NoSuchHost, OSError, httpcore.ConnectError, httpcore.ConnectTimeout.
        """
        addresses = [host] if _is_ip(host) else await self.resolve(host)
        if not addresses:
            raise NoSuchHost(host)
        if not all(map(self.permits, addresses)):
            raise Forbidden("its host is not public")
        for address in addresses[:-1]:
            try:
                return await self.connect(address, port)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self.connect(addresses[-1], port)


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """httpcore's connections, each to an address that `reach` has just checked."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return await self._reach.open(host, port)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
