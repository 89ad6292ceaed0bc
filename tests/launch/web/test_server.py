import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from launch.web.server import application, serve


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("done")


@pytest.fixture
def client() -> TestClient:
    routes = [Route("/", answer, methods=["GET", "POST"])]
    return TestClient(application(routes), base_url="http://127.0.0.1:1234")


def test_a_name_that_points_here_is_not_answered(client: TestClient) -> None:
    assert client.get("/", headers={"Host": "rebound.example"}).status_code == 400
    assert client.get("/", headers={"Host": "localhost:1234"}).text == "done"


def test_another_site_may_change_nothing(client: TestClient) -> None:
    assert client.post("/", headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.post("/", headers={"Origin": "null"}).status_code == 403
    assert client.post("/", headers={"Origin": "http://127.0.0.1:9"}).status_code == 403
    assert client.post("/", headers={"Origin": "http://127.0.0.1:1234"}).text == "done"
    assert client.post("/").text == "done"  # a program, not a page


def test_pages_may_load_our_files_alone(client: TestClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert client.get("/style.css").headers["Content-Type"].startswith("text/css")
    assert client.get("/static/../server.py").status_code == 404


def test_the_header_lists_the_pages_that_are_there() -> None:
    routes = [Route("/ask", answer), Route("/", answer), Route("/api/other", answer)]
    client = TestClient(application(routes), base_url="http://127.0.0.1:1234")
    assert client.get("/api/pages").json() == [{"path": "/", "name": "Dashboard"}, {"path": "/ask", "name": "Ask"}]
    assert client.get("/static/nav.js").headers["Content-Type"].startswith("text/javascript")


@pytest.mark.parametrize("there", [["/ask"], ["/review", "/ask"]])
def test_without_a_dashboard_the_first_page_is_the_start(there: list[str]) -> None:
    client = TestClient(application([Route(path, answer) for path in there]), base_url="http://127.0.0.1:1234")
    assert client.get("/").url.path == there[0]
    assert [page["path"] for page in client.get("/api/pages").json()] == there


class Seen(Exception):
    """Ends the server."""


def test_who_reads_the_address_can_connect(capsys: pytest.CaptureFixture[str]) -> None:
    @asynccontextmanager
    async def reader() -> AsyncIterator[None]:
        printed = capsys.readouterr().out
        addresses = re.findall(r"http://127\.0\.0\.1:(\d+)(\S*)", printed)
        assert [path for _, path in addresses] == ["/ask", "/v1"] and printed.startswith("an agent: ")
        socket.create_connection(("127.0.0.1", int(addresses[0][0])), timeout=10).close()  # the server is not up yet
        raise Seen
        yield

    with pytest.raises(Seen):
        serve([Route("/ask", answer)], 0, "an agent", "/ask", "/v1", beside=reader())
