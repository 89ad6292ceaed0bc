"""ask, serve: a trained agent answers, on the terminal, on a page, to other programs."""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from launch.commands.settings import port, positive
from medrl.errors import DataError

if TYPE_CHECKING:
    from actors.pool import InferencePool
    from launch.ask.agent import Agent, Asked
    from launch.ask.events import OnEvent, Report
    from launch.commands.settings import Commands

_RUN = "a run directory, or a model's folder together with --recipe"


def add(commands: "Commands") -> None:
    """Declare them."""
    ask = commands.add_parser(
        "ask",
        help="ask a trained agent a question",
        description="Let a trained agent search for the answer: what it thinks, asks and reads, then its answer, the "
        "documents behind it, and how many of its samples agree. For research, no medical advice.",
    )
    ask.set_defaults(run=_ask)
    ask.add_argument("question", help="in quotes")
    ask.add_argument("--model", type=Path, metavar="RUN", required=True, help=_RUN)
    ask.add_argument(
        "--samples",
        type=positive,
        default=5,
        metavar="K",
        help="times that it is played: once greedily, then at the training temperature (default: %(default)s)",
    )
    ask.add_argument("--json", action="store_true", help="print the report as JSON, and nothing else, to stdout")
    serve = commands.add_parser(
        "serve",
        help="serve a trained agent: a page to ask it, and an OpenAI-compatible address",
        description="Serve a run on this machine alone: its agent on the page /ask and, for other programs, under /v1 "
        "as an OpenAI-compatible server; its dashboard and the page to rate its episodes beside them.",
    )
    serve.set_defaults(run=_serve)
    serve.add_argument("model", type=Path, metavar="RUN", help=_RUN)
    serve.add_argument("--port", type=port, default=8323, metavar="N", help="0 takes a free one (default: 8323)")
    for command in (ask, serve):
        command.add_argument(
            "--checkpoint", choices=("rl", "sft", "base"), help="of the run (default: the last that it has)"
        )
        command.add_argument("--recipe", help="for a model's folder: the recipe whose tools and limits it gets")
        command.add_argument(
            "--set",
            dest="settings",
            action="append",
            default=[],
            metavar="section.key=value",
            help="a setting in place of the recipe's, e.g. pool.kv_cache_gb=2; may be given again",
        )


def _ask(options: argparse.Namespace) -> None:
    from launch.ask.agent import Asked
    from launch.ask.console import Console
    from launch.ask.events import as_json
    from launch.ask.opening import check_ahead, choose, opened

    if not options.question.strip():
        raise DataError("there is no question: ask something")
    asked = Asked(options.question, options.samples)
    chosen = choose(options.model, options.checkpoint, options.recipe, options.settings)
    check_ahead(chosen, asked)
    with opened(chosen) as (agent, pool):
        if options.json:
            report = asyncio.run(_play(agent, pool, asked, lambda event: None))
            print(json.dumps(as_json(report), indent=2))  # escaped: it may quote anything
        else:
            asyncio.run(_play(agent, pool, asked, Console(sys.stdout, asked.samples).tell))


async def _play(agent: "Agent", pool: "InferencePool", asked: "Asked", on_event: "OnEvent") -> "Report":
    from launch.players import watched

    async with watched(pool):
        return await agent.ask(asked, on_event)


def _serve(options: argparse.Namespace) -> None:
    from launch.ask.opening import choose, opened
    from launch.players import watched
    from launch.web import ask, dashboard, review
    from launch.web.server import serve

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: no process stays behind
    chosen = choose(options.model, options.checkpoint, options.recipe, options.settings)
    of_run = [] if chosen.run is None else [*dashboard.routes(chosen.run), *review.routes(chosen.run)]
    with opened(chosen) as (agent, pool):
        routes = [*of_run, *ask.routes(agent)]
        serve(
            routes,
            options.port,
            f"{agent.name}, page and OpenAI-compatible address",
            "/ask",
            "/v1",
            beside=watched(pool),
        )
