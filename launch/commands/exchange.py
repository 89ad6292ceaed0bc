"""export, import: datasets in other projects' formats."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from launch.commands.settings import add_recipe

if TYPE_CHECKING:
    from launch.commands.settings import Commands

_FORMATS = {
    "qa": "questions of MedResearcher-R1: reasoning_path (masked guidance), entity_mapping",
    "messages": "training trajectories of MedResearcher-R1: chat messages with thoughts, calls and tool responses",
    "webshaper": "questions of WebShaper: formalization (triplets), urls",
}


def add(commands: "Commands") -> None:
    """Declare them."""
    formats = "\n".join(f"  {name:10} {what}" for name, what in _FORMATS.items())
    export = commands.add_parser(
        "export",
        help="write a dataset in another project's format",
        description="Write what `medrl synthesize RECIPE` made as JSON lines of another project. FORMAT is one of\n\n"
        f"{formats}\n\nThe same dataset gives the same bytes. A file that holds something else is never replaced.",
        epilog="`medrl import` reads qa and messages back, equal to what was exported.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export.add_argument("format", choices=tuple(_FORMATS), metavar="FORMAT", help=", ".join(_FORMATS))
    export.set_defaults(run=_export)
    add_recipe(export, "the recipe, or YAML file, that the dataset was made with")
    export.add_argument("--to", metavar="FILE", help="where to write; FORMAT.jsonl beside the questions if left out")
    imported = commands.add_parser("import", help="read a dataset in another project's format")
    kinds = imported.add_subparsers(dest="format", required=True, metavar="FORMAT")
    qa = kinds.add_parser(
        "qa",
        help=_FORMATS["qa"],
        description="Read questions of MedResearcher-R1. Those that medrl exported become questions.jsonl again. "
        "Others bring no proof that their answer is the only one, and become unproved.jsonl.",
    )
    qa.set_defaults(run=_import_questions)
    qa.add_argument("file", metavar="FILE", help="JSON lines: question, answer; the rest may be missing")
    messages = kinds.add_parser(
        "messages",
        help=_FORMATS["messages"],
        description="Read training trajectories of MedResearcher-R1 into trajectories.jsonl, in the tokens of the "
        "recipe's model. Tool responses are cut after env.observation_tokens, but for those that medrl exported.",
    )
    messages.add_argument("file", metavar="FILE", help="JSON lines: messages, termination, qaid")
    messages.set_defaults(run=_import_messages)
    add_recipe(messages, "a recipe's name, or a YAML file: its model and limits")
    for command in (qa, messages):
        command.add_argument("--to", metavar="FOLDER", required=True, help="where to write")


def _export(options: argparse.Namespace) -> None:
    from launch.exchange import export_dataset
    from launch.recipe import load_recipe

    config = load_recipe(options.recipe, options.settings)
    print(export_dataset(config, options.recipe, options.format, options.to))


def _import_questions(options: argparse.Namespace) -> None:
    from launch.exchange import import_questions

    print(import_questions(Path(options.file), Path(options.to)))


def _import_messages(options: argparse.Namespace) -> None:
    from launch.exchange import import_trajectories
    from launch.recipe import load_recipe

    config = load_recipe(options.recipe, options.settings)
    print(import_trajectories(Path(options.file), config, Path(options.to)))
