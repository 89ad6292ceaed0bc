"""A live server of an agent for a test, on a port of its own."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from launch.ask.agent import Agent
from launch.web.ask import routes
from launch.web.server import HOST, application


@contextmanager
def serving(agent: Agent) -> Iterator[str]:
    """Its address."""
    listener = socket.socket()
    listener.bind((HOST, 0))
    settings = uvicorn.Config(application(routes(agent)), log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
    assert not thread.is_alive()
