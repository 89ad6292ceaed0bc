"""A web of one server: names that look public lead to it, and every address that was to be connected to is noted."""

from collections.abc import Mapping, Sequence

import httpcore

from envs.network.addresses import NoSuchHost, Reach, is_public, system_connect
from medrl.sections.pages import PagesConfig

PUBLIC = "93.184.215.14"
REFERENCE = "reference.example.com"
QUICK = PagesConfig(timeout_s=3.0, attempts=2, backoff_s=0.0, most_bytes=200_000, parse_s=5.0)


class SmallWeb:
    """`answers`: what a name resolves to, time after time, the last one for ever; other names resolve to PUBLIC.

    `up` False: nothing is reached, as on a machine without a network. The reference takes every connection.
    """

    def __init__(
        self, port: int, answers: Mapping[str, Sequence[Sequence[str]]] | None = None, *, up: bool = True
    ) -> None:
        self.asked: list[str] = []
        self.resolved: list[str] = []
        self._port = port
        self._answers = {name: list(each) for name, each in (answers or {}).items()}
        self._up = up

    @property
    def reach(self) -> Reach:
        """The rule is the real one: the server's own address is never permitted, only connected to in a public one's
        stead."""
        return Reach(self._resolve, self._connect)

    async def _resolve(self, host: str) -> list[str]:
        self.resolved.append(host)
        if not self._up:
            raise OSError("no name server answers")
        script = self._answers.get(host, [[PUBLIC]])
        found = script.pop(0) if len(script) > 1 else script[0]
        if not found:
            raise NoSuchHost(host)
        return list(found)

    async def _connect(self, address: str, port: int) -> httpcore.AsyncNetworkStream:
        self.asked.append(address)
        if not self._up:
            raise httpcore.ConnectError("network is unreachable")
        return await system_connect("127.0.0.1", self._port)

    def assert_public(self) -> None:
        assert all(map(is_public, self.asked)), self.asked
