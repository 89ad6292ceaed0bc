"""quickstart, synthesize, sft, train, eval: stages of one pipeline."""

import argparse
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from launch.commands import benchmarks
from launch.commands.settings import add_recipe, add_settings
from medrl.errors import DataError, cause_of

if TYPE_CHECKING:
    from launch.commands.settings import Commands
    from medrl.config import Config

_STAGED = {
    "synthesize": "write questions and guided trajectories (KISA)",
    "sft": "synthesise, then fine-tune on the guided trajectories",
    "train": "synthesise, fine-tune, then GRPO",
    "eval": "train what is not trained yet, play held-out questions with all three models, or benchmarks; report",
}


def add(commands: "Commands") -> None:
    """Declare them."""
    purpose = "everything, small, on a CPU, and a report at the end"
    quickstart = commands.add_parser("quickstart", help=purpose, description=purpose)
    quickstart.set_defaults(recipe="quickstart", run=_run, goes_on=True)
    add_settings(quickstart)
    for name, purpose in _STAGED.items():
        is_eval = name == "eval"
        command = commands.add_parser(
            name,
            help=purpose,
            description=benchmarks.PURPOSE if is_eval else purpose,
            epilog=benchmarks.EXAMPLES if is_eval else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=_run_eval if is_eval else _run, goes_on=True)
        add_recipe(command)
        if is_eval:
            benchmarks.add_benchmarks(command)


def _run(options: argparse.Namespace) -> None:
    from launch.recipe import load_recipe

    config = load_recipe(options.recipe, options.settings)
    with _room_on_disk(config):
        run_stages(options.command, config)


def _run_eval(options: argparse.Namespace) -> None:
    if not benchmarks.is_asked(options):
        _run(options)
        return
    from launch.recipe import load_recipe

    config = load_recipe(options.recipe, options.settings)
    with _room_on_disk(config):
        benchmarks.run_benchmarks(options, config)


@contextmanager
def _room_on_disk(config: "Config") -> Iterator[None]:
    """Raises DataError, saying what to do, where there is none."""
    try:
        yield
    except OSError as error:
        if cause_of(error).errno != errno.ENOSPC:
            raise
        raise DataError(
            f"the disk is full below {config.run_path}: make room and give the same command again, or choose "
            "another place with run_dir=..."
        ) from error


def run_stages(command: str, config: "Config") -> None:
    """Do the stages that `command` asks for."""
    from launch import pipeline, stages

    wanted = {
        "quickstart": stages.QUICKSTART,
        "synthesize": stages.SYNTHESIZE,
        "sft": stages.FINETUNE,
        "train": stages.TRAIN,
        "eval": stages.EVALUATE,
    }
    pipeline.run(config, wanted[command])
