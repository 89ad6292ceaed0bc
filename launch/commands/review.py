"""review: a page on which clinicians rate a run's episodes, and what their ratings say."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from launch.commands.report import run_folder
from launch.commands.settings import add_recipe, port

if TYPE_CHECKING:
    from launch.commands.settings import Commands


def add(commands: "Commands") -> None:
    """Declare it."""
    purpose = "a page where clinicians rate episodes, for reward.ratings to learn r_expert from"
    review = commands.add_parser("review", help=purpose, description=purpose)
    review.set_defaults(run=_run)
    add_recipe(review, "a run directory, or a recipe")
    review.add_argument(
        "--rater", default="", metavar="NAME", help="who rates, a pseudonym; asked on the page if left out"
    )
    review.add_argument(
        "--to", type=Path, metavar="FILE", help="where ratings are kept (default: ratings.jsonl in the run)"
    )
    review.add_argument("--seed", type=int, default=0, metavar="N", help="of the order of the episodes (default: 0)")
    review.add_argument("--port", type=port, default=8322, metavar="N", help="0 takes a free one (default: 8322)")
    review.add_argument("--summary", action="store_true", help="print what the ratings so far say, and serve nothing")


def _run(options: argparse.Namespace) -> None:
    from launch.web.review import RATINGS_FILE, routes
    from launch.web.server import serve
    from medrl.errors import ConfigError
    from medrl.ratings import check_rater

    run = run_folder(options.recipe, options.settings)
    file = options.to or run / RATINGS_FILE
    if options.summary:
        from launch.ratings_summary import render_summary

        print(render_summary(file, options.seed), end="")
        return
    if options.rater:
        try:
            check_rater(options.rater)
        except ValueError as error:
            raise ConfigError(f"--rater {options.rater!r}: {error}") from error
    print(f"ratings go to {file}", flush=True)
    serve(routes(run, file, rater=options.rater, seed=options.seed), options.port, f"review of {run}", "/review")
