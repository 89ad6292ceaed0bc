import socket
from typing import Any

import pytest
import uvicorn
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


def test_the_address_can_be_asked_as_soon_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(server: object, sockets: Any) -> None:
        place = sockets[0].getsockname()
        assert f"http://127.0.0.1:{place[1]}/ask " in capsys.readouterr().out
        socket.create_connection(place, timeout=5).close()  # before the server has done anything
        sockets[0].close()

    monkeypatch.setattr(uvicorn.Server, "run", run)
    serve([Route("/ask", answer)], 0, "ask", "/ask")
