"""The server that tests misbehave with leaves nothing open, however busy the machine is."""

import asyncio
import gc
import socket
import time

import pytest

from tests.misbehaving import MisbehavingServer, hangs


class Busy(MisbehavingServer):
    """Held up while it ends, some turns of its loop later; a connection comes meanwhile, and both are met at once."""

    def __init__(self, turns: int) -> None:
        super().__init__([hangs])
        self.turns = turns
        self.opened: list[socket.socket] = []

    def end(self) -> None:
        super().end()
        self.arriving = asyncio.create_task(self._arrive())

    async def _arrive(self) -> None:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        time.sleep(0.05)
        self.opened.append(socket.create_connection(("127.0.0.1", self.port)))


@pytest.mark.parametrize("turns", range(6))
def test_a_connection_that_arrives_while_it_ends_is_closed(turns: int) -> None:
    """Python warns of one that is left open, and a warning is an error here."""
    with Busy(turns) as server:
        pass
    gc.collect()
    (opened,) = server.opened
    opened.close()
