"""Pages of ours on a free port, for tests with a browser."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.routing import BaseRoute

from launch.web.server import HOST, application


@contextmanager
def serving(routes: Sequence[BaseRoute]) -> Iterator[str]:
    """The address of a server of `routes`, which ends with the block."""
    server = uvicorn.Server(uvicorn.Config(application(routes), host=HOST, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        thread.join()
