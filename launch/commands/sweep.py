"""sweep: many runs that differ in a few settings, and what the differences come to."""

import argparse
from typing import TYPE_CHECKING

from launch.sweeps.shipped import sweep_names

if TYPE_CHECKING:
    from launch.commands.settings import Commands


def add(commands: "Commands") -> None:
    """Declare it."""
    sweep = commands.add_parser(
        "sweep",
        help="compare settings: the same run with each of them and several seeds, and a report",
        description="Run a recipe with each of several settings and seeds, and report which differences are resolved. "
        "Interrupted, the same command goes on: finished trials are not run again, others go on from their "
        "checkpoints. Exit code 1 if a trial failed for good.",
        epilog=f"Sweeps that come with medrl: {', '.join(sweep_names())}.",
    )
    sweep.set_defaults(run=_sweep, goes_on=True)
    sweep.add_argument("file", metavar="SWEEP", help="a sweep's name, or a YAML file")
    sweep.add_argument("--plan", action="store_true", help="print trials, shared parts, work and memory; start nothing")


def _sweep(options: argparse.Namespace) -> None:
    from launch.sweeps.sweep import plan_sweep, run_sweep

    if options.plan:
        print(plan_sweep(options.file), end="")
    else:
        run_sweep(options.file)
