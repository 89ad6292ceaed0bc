"""plan, config, cluster: what a recipe would do and may hold, and the file that starts it elsewhere; nothing starts."""

import argparse
from typing import TYPE_CHECKING

from launch.commands.settings import add_recipe

if TYPE_CHECKING:
    from launch.commands.settings import Commands


def add(commands: "Commands") -> None:
    """Declare them."""
    purpose = "what a recipe would do and need: work, time, processes, memory, files; starts nothing"
    plan = commands.add_parser("plan", help=purpose, description=purpose)
    plan.set_defaults(run=_plan)
    add_recipe(plan)
    purpose = "print every setting there is: values, default, meaning, as Markdown"
    commands.add_parser("config", help=purpose, description=purpose).set_defaults(run=_config)
    cluster = commands.add_parser(
        "cluster",
        help="print the file that starts a recipe on a cluster: Slurm, Kubernetes or a Ray job",
        description="Print, for the nodes under the recipe's `cluster`, a Slurm batch script, a KubeRay manifest, or a "
        "script for `ray job submit`. Nothing is started.",
    )
    cluster.set_defaults(run=_cluster)
    cluster.add_argument("kind", choices=("slurm", "kubernetes", "ray-job"), help="what starts it")
    add_recipe(cluster, "a recipe's name, or a YAML file that all nodes see")


def _plan(options: argparse.Namespace) -> None:
    import torch

    from launch.architectures import planned_shape
    from launch.forecast import product_rate
    from launch.plan import render_plan
    from launch.recipe import load_recipe

    config = load_recipe(options.recipe, options.settings)
    path, shape = planned_shape(config)
    rate = None
    if config.device == "cpu":
        # As large as the model's own, within what takes a moment.
        rate = product_rate(
            1024, min(shape.hidden, 1024), min(shape.intermediate, 2048), getattr(torch, config.model.dtype)
        )
    print(render_plan(config, path, shape, rate), end="")


def _config(_: argparse.Namespace) -> None:
    from launch.reference import reference

    print(reference(), end="")


def _cluster(options: argparse.Namespace) -> None:
    from launch.cluster.render import render
    from launch.recipe import load_recipe

    config = load_recipe(options.recipe, options.settings)
    print(render(options.kind, config, options.recipe, options.settings), end="")
