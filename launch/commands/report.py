"""report: report.html of a run, written again."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from launch.commands.settings import add_recipe
from medrl.errors import ConfigError, DataError

if TYPE_CHECKING:
    from launch.commands.settings import Commands


def add(commands: "Commands") -> None:
    """Declare it."""
    report = commands.add_parser(
        "report",
        help="write report.html of a run again",
        description="Write report.html of a run again, from the files that the run left, and print its path. Nothing "
        "is played or trained.",
    )
    report.set_defaults(run=_run)
    add_recipe(report, "a run directory, or a recipe")


def _run(options: argparse.Namespace) -> None:
    from launch.report import write_report

    print(write_report(run_folder(options.recipe, options.settings)))


def run_folder(named: str, settings: list[str]) -> Path:
    """The run that a command names, by its directory or by its recipe. Raises ConfigError, DataError."""
    if Path(named).is_dir():
        if settings:
            raise ConfigError(f"{settings[0]}: a run directory has its settings; leave this out")
        return Path(named)
    if "/" in named and not Path(named).is_file():
        raise DataError(f"{named}: no such run directory")
    from launch.recipe import load_recipe

    return load_recipe(named, settings).run_path
