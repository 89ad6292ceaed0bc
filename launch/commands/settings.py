"""What several commands take."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


_RECIPE = "a recipe's name, a YAML file, or a run's folder"


def add_recipe(command: argparse.ArgumentParser, purpose: str = _RECIPE) -> None:
    """The recipe, and settings in place of its own."""
    command.add_argument("recipe", metavar="RECIPE", help=purpose)
    add_settings(command)


def add_settings(command: argparse.ArgumentParser) -> None:
    """Settings in place of the recipe's."""
    command.add_argument(
        "settings",
        nargs="*",
        default=[],  # without it argparse says that they are required
        metavar="section.key=value",
        help="settings in place of the recipe's, e.g. grpo.steps=40",
    )


def positive(text: str) -> int:
    """The type of an option that counts something."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give 1 or more")
    return int(text)


def port(text: str) -> int:
    """The type of a port; 0 stands for a free one."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text}: give 0 to 65535")
    return int(text)
