"""The page /ask, and what it asks: an agent's episodes as a stream of server-sent events.

GET  /api/agent   its name, and what the page says of it
POST /api/ask     {"question", "samples"} -> `data: <event>` for each event of launch/ask/events.py, or an error
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from launch.ask.agent import MOST_SAMPLES, SAMPLES, Agent, Asked, Busy
from launch.ask.events import STATEMENT, Report, as_json
from launch.web.live import RETRY_AFTER_S, Live, LiveResponse, read_json, sent
from launch.web.openai import routes as openai_routes
from launch.web.server import page
from medrl.errors import DataError, InfrastructureError, UserError, cause_of
from medrl.records import fault


def routes(agent: Agent) -> list[BaseRoute]:
    """The page, its questions, and /v1."""

    async def shown(request: Request) -> Response:
        return page("ask")

    async def about(request: Request) -> Response:
        return JSONResponse(
            {"name": agent.name, "samples": SAMPLES, "most_samples": MOST_SAMPLES, "statement": STATEMENT}
        )

    async def ask(request: Request) -> Response:
        try:
            asked = _asked(await read_json(request))
            live = await Live.begin(lambda on_event: agent.ask(asked, on_event))
        except DataError as error:
            return JSONResponse({"error": str(error)}, 400)
        except Busy as error:
            return JSONResponse({"error": str(error)}, 429, {"Retry-After": str(RETRY_AFTER_S)})
        except ClientDisconnect:
            return Response(status_code=400)
        return LiveResponse(live, _stream(live))

    return [
        Route("/ask", shown),
        Route("/api/agent", about),
        Route("/api/ask", ask, methods=["POST"]),
        *openai_routes(agent),
    ]


class _Question(BaseModel, extra="forbid"):
    question: str
    samples: Annotated[int, Field(ge=1, le=MOST_SAMPLES)] = SAMPLES


def _asked(body: Any) -> Asked:
    try:
        wanted = _Question.model_validate(body)
    except ValidationError as error:
        raise DataError(fault(error)) from error
    return Asked(wanted.question, wanted.samples)


async def _stream(live: Live[Report]) -> AsyncIterator[str]:
    try:
        async for event in live.events():
            yield sent(as_json(event))
        await live.result()
    except (InfrastructureError, UserError) as error:
        yield sent({"type": "error", "error": f"the question could not be played: {cause_of(error)}"})
