"""The agent as an OpenAI-compatible server: /v1/models and /v1/chat/completions, streamed or not.

`reasoning_content` holds the thoughts, calls and observations of the greedy sample, `content` what comes of all of them
(launch/web/chat.py), `medrl` the same as values. `usage` counts the tokens of all samples.
"""

import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from launch.ask.agent import Agent, Asked, Busy
from launch.ask.events import Acted, Began, Event, Observed, OnEvent, Report, Usage, as_json
from launch.ask.report import make_report, usage
from launch.web.chat import ChatRequest, asked_of, content_of, read_request
from launch.web.live import RETRY_AFTER_S, Live, LiveResponse, read_json, sent, unless_gone
from medrl.errors import InfrastructureError, UserError, cause_of
from medrl.types import Rollout

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A report for each choice, and the tokens of all."""

    reports: tuple[Report, ...]
    usage: Usage


def routes(agent: Agent) -> list[BaseRoute]:
    """Under /v1."""
    begun = int(time.time())
    models = [{"id": agent.name, "object": "model", "created": begun, "owned_by": "medrl"}]

    async def listed(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": models})

    async def one(request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse(models[0]) if name == agent.name else _no_model(name, agent)

    async def complete(request: Request) -> Response:
        try:
            wanted = read_request(await read_json(request))
            if wanted.model != agent.name:
                return _no_model(wanted.model, agent)
            asked = asked_of(wanted, agent)
            live = await Live.begin(lambda on_event: _play(agent, asked, wanted.choices, on_event))
            if wanted.stream:
                return LiveResponse(live, _stream(live, wanted))
            try:
                return await unless_gone(request, _whole(live, wanted))
            finally:
                live.close()
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except (Busy, UserError, InfrastructureError) as error:
            return _refused(error)

    return [
        Route("/v1/models", listed),
        Route("/v1/models/{name:path}", one),
        Route("/v1/chat/completions", complete, methods=["POST"]),
        Route("/v1", _no_path, methods=_METHODS),
        Route("/v1/{rest:path}", _no_path, methods=_METHODS),
    ]


async def _play(agent: Agent, asked: Asked, choices: int, on_event: OnEvent) -> Outcome:
    if choices == 1:
        report = await agent.ask(asked, on_event)
        return Outcome((report,), report.usage)
    results = await agent.play(asked, on_event)
    rollouts = [each for each in results if isinstance(each, Rollout)]
    if len(rollouts) < len(results):
        raise next(each for each in results if isinstance(each, InfrastructureError))
    reports = tuple(make_report(asked.text, [each], None, agent.temperature(asked), 0.0) for each in rollouts)
    return Outcome(reports, usage(rollouts))


async def _whole(live: Live[Outcome], wanted: ChatRequest) -> Response:
    reasoning = [""] * wanted.choices
    async for event in live.events():
        for index, said in _reasoned(event, wanted):
            reasoning[index] += said
    outcome = await live.result()
    return JSONResponse(
        _head(wanted, "chat.completion")
        | {
            "choices": [
                {
                    "index": index,
                    "message": {
                        "role": "assistant",
                        "content": content_of(report),
                        "reasoning_content": reasoning[index],
                        "refusal": None,
                    },
                    "logprobs": None,
                    "finish_reason": _finish(report),
                    "medrl": as_json(report),
                }
                for index, report in enumerate(outcome.reports)
            ],
            "usage": _usage(outcome.usage),
        }
    )


async def _stream(live: Live[Outcome], wanted: ChatRequest) -> AsyncIterator[str]:
    """Chunks; an error on the way is a chunk of its own, and nothing follows it."""
    counted = wanted.stream_options is not None and wanted.stream_options.include_usage
    head = _head(wanted, "chat.completion.chunk") | ({"usage": None} if counted else {})

    def chunk(index: int, delta: Mapping[str, Any], finish: str | None = None, **more: object) -> str:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish, **more}
        return sent(head | {"choices": [choice]})

    try:
        for index in range(wanted.choices):
            yield chunk(index, {"role": "assistant", "content": ""})
        async for event in live.events():
            for index, said in _reasoned(event, wanted):
                yield chunk(index, {"reasoning_content": said})
        outcome = await live.result()
        for index, report in enumerate(outcome.reports):
            yield chunk(index, {"content": content_of(report)})
            yield chunk(index, {}, _finish(report), medrl=as_json(report))
        if counted:
            yield sent(head | {"choices": [], "usage": _usage(outcome.usage)})
        yield "data: [DONE]\n\n"
    except (InfrastructureError, UserError) as error:
        yield sent(_error(error))


def _reasoned(event: Event, wanted: ChatRequest) -> list[tuple[int, str]]:
    """(choice, text) that an event adds to the reasoning: of the greedy sample, or of each where each is a choice."""
    if not isinstance(event, (Began, Acted, Observed)) or event.sample >= wanted.choices:
        return []
    said = _as_text(event)
    return [(event.sample, said)] if said else []


def _as_text(event: Began | Acted | Observed) -> str:
    if isinstance(event, Observed):
        return f"{event.text}\n\n"
    if isinstance(event, Began):
        return "(something under the agent failed; from the beginning)\n" if event.attempt else ""
    if event.call is not None:
        return f"{event.thought}\n{event.call.name} {json.dumps(dict(event.call.arguments), ensure_ascii=False)}\n"
    return f"{event.thought if event.answer is not None else event.written}\n"


def _head(wanted: ChatRequest, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": wanted.model,
    }


def _finish(report: Report) -> str:
    return "length" if report.was_cut else "stop"


def _usage(used: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
    }


def _no_model(name: str, agent: Agent) -> Response:
    message = f"there is no model {name!r}; this server has {agent.name}"
    return JSONResponse(_told(message, "invalid_request_error", "model_not_found", "model"), 404)


async def _no_path(request: Request) -> Response:
    message = (
        f"there is no {request.method} {request.url.path}; this server has GET /v1/models and POST /v1/chat/completions"
    )
    return JSONResponse(_told(message, "invalid_request_error", "unknown_url"), 404)


def _refused(error: Exception) -> Response:
    status = 429 if isinstance(error, Busy) else 503 if isinstance(error, InfrastructureError) else 400
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 429 else None
    return JSONResponse(_error(error), status, headers)


def _error(error: Exception) -> dict[str, Any]:
    message = str(cause_of(error))
    if isinstance(error, Busy):
        return _told(message, "rate_limit_error", "rate_limit_exceeded")
    if isinstance(error, InfrastructureError):
        return _told(message, "server_error", "server_error")
    return _told(message, "invalid_request_error")


def _told(message: str, kind: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
