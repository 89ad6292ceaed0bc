"""dashboard: the live page of a run."""

import argparse
from typing import TYPE_CHECKING

from launch.commands.report import run_folder
from launch.commands.settings import add_recipe, port

if TYPE_CHECKING:
    from launch.commands.settings import Commands


def add(commands: "Commands") -> None:
    """Declare it."""
    dashboard = commands.add_parser(
        "dashboard",
        help="a live page of a run, during it and after it, on this machine",
        description="Serve a live page of a run, during it and after it, on this machine alone: what it does now, its "
        "figures and its episodes. It reads the run and changes nothing in it. Ctrl-C ends it.",
    )
    dashboard.set_defaults(run=_run)
    add_recipe(dashboard, "a run directory, or a recipe")
    dashboard.add_argument("--port", type=port, default=8321, metavar="N", help="0 takes a free one (default: 8321)")


def _run(options: argparse.Namespace) -> None:
    run = run_folder(options.recipe, options.settings)
    from launch.web.dashboard import routes
    from launch.web.server import serve

    serve(routes(run), options.port, f"dashboard of {run}", "/")
