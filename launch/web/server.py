"""The server of all pages. It listens on loopback alone, answers to no other name, and its pages fetch nothing else.

/            the dashboard     launch/web/dashboard.py
/review      ratings           launch/web/review.py
/ask, /v1    the agent         launch/web/ask.py, where a model is served
/api/pages   those of the three that are there, for the header that they share (static/nav.js)

Without a dashboard / leads to the first page that there is.
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from launch.page import STYLE
from medrl.errors import ConfigError

STATIC = Path(__file__).parent / "static"
HOST = "127.0.0.1"
PAGES = {"/": "Dashboard", "/review": "Review", "/ask": "Ask"}
_NAMES = [HOST, "localhost"]
#: Scripts and styles are files of ours: what a document or a model wrote can be neither, even if it were not escaped.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def application(routes: Sequence[BaseRoute]) -> Starlette:
    """The pages' `routes` with what they share: style sheet, scripts, and the rules of the module's first line."""
    served = {route.path for route in routes if isinstance(route, Route)}
    pages = [{"path": path, "name": name} for path, name in PAGES.items() if path in served]

    async def listed(request: Request) -> Response:
        return JSONResponse(pages)

    async def first(request: Request) -> Response:
        return RedirectResponse(pages[0]["path"])

    shared = [
        *([Route("/", first)] if pages and "/" not in served else []),
        Route("/api/pages", listed),
        Route("/style.css", _style),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=_NAMES), Middleware(_Guard)]
    return Starlette(routes=[*routes, *shared], middleware=guards)


def page(name: str) -> FileResponse:
    """static/<name>.html."""
    return FileResponse(STATIC / f"{name}.html")


def serve(
    routes: Sequence[BaseRoute],
    port: int,
    greeting: str,
    *paths: str,
    beside: AbstractAsyncContextManager[object] | None = None,
) -> None:
    """Serve until interrupted; prints `greeting` and the addresses of `paths`, once one can connect. Port 0 takes a
    free one. Raises ConfigError.

    `beside` is entered in the loop that serves, and left at the end; what it raises meanwhile ends the server.
    """
    settings = uvicorn.Config(application(routes), log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    with _listening(port) as listener:
        here = f"http://{HOST}:{listener.getsockname()[1]}"
        print(f"{greeting}: {'  '.join(here + path for path in paths)}  (Ctrl-C ends it)", flush=True)

        async def run() -> None:
            async with beside or nullcontext():
                await uvicorn.Server(settings).serve(sockets=[listener])

        with suppress(KeyboardInterrupt):  # its proper end
            asyncio.run(run())


def _listening(port: int) -> socket.socket:
    """Who connects before the server runs waits for it, and is not refused."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigError(f"port {port} cannot be had ({error.strerror}): give another --port, or 0 for any") from error
    return listener


async def _style(request: object) -> Response:
    return Response(STYLE, media_type="text/css")


class _Guard:
    """Headers for every answer; a request that changes something must come from a page of ours, or from no page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if scope["method"] not in ("GET", "HEAD") and origin and urlsplit(origin).netloc != headers.get("host"):
            await PlainTextResponse("another site's page may not do this", 403)(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)
