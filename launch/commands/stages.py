"""quickstart, synthesize, sft, train, eval: stages of one pipeline."""

import argparse
import errno
from typing import TYPE_CHECKING

from launch.commands.settings import add_recipe, add_settings
from medrl.errors import DataError, cause_of

if TYPE_CHECKING:
    from launch.commands.settings import Commands
    from medrl.config import Config

_STAGED = {
    "synthesize": "write questions and guided trajectories (KISA)",
    "sft": "synthesise, then fine-tune on the guided trajectories",
    "train": "synthesise, fine-tune, then GRPO",
    "eval": "train what is not trained yet, play held-out questions with all three models, write the report",
}


def add(commands: "Commands") -> None:
    """Declare them."""
    quickstart = commands.add_parser("quickstart", help="everything, small, on a CPU, and a report at the end")
    quickstart.set_defaults(recipe="quickstart", run=_run)
    add_settings(quickstart)
    for name, purpose in _STAGED.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        command.set_defaults(run=_run)
        add_recipe(command)


def _run(options: argparse.Namespace) -> None:
    from launch.recipe import load_recipe

    config = load_recipe(options.recipe, options.settings)
    try:
        run_stages(options.command, config)
    except OSError as error:
        if cause_of(error).errno != errno.ENOSPC:
            raise
        raise DataError(
            f"the disk is full below {config.run_path}: make room and give the same command again, or choose "
            "another place with run_dir=..."
        ) from error


def run_stages(command: str, config: "Config") -> None:
    """Do the stages that `command` asks for."""
    from launch import pipeline

    stages = {
        "quickstart": pipeline.QUICKSTART,
        "synthesize": pipeline.SYNTHESIZE,
        "sft": pipeline.FINETUNE,
        "train": pipeline.TRAIN,
        "eval": pipeline.EVALUATE,
    }
    pipeline.run(config, stages[command])
