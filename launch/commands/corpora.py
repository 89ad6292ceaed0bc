"""count, index: what is made of a large corpus."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from launch.commands.settings import positive

if TYPE_CHECKING:
    from launch.commands.settings import Commands


def add(commands: "Commands") -> None:
    """Declare them."""
    count = commands.add_parser(
        "count",
        help="count in how many documents of a corpus each entity is named",
        description="Count in how many documents of a corpus each entity of an ontology is named, and write what "
        "knowledge.frequencies takes. Files go to workers one by one, so split one that is very large. RAY_ADDRESS: "
        "count on that cluster. Interrupted, the same command goes on after the files that were finished.",
    )
    count.set_defaults(run=_count, goes_on=True)
    count.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help=".xml (PubMed), .txt (PubTator) or .jsonl, plain or .gz"
    )
    count.add_argument("--ontology", default="hpo", help="as knowledge.ontology: hpo, or a folder (default: hpo)")
    count.add_argument("--to", type=Path, default=Path("frequencies.json"), help="(default: frequencies.json)")
    count.add_argument("--workers", type=positive, help="CPUs to take (default: all)")
    _add_index(commands)


def _add_index(commands: "Commands") -> None:
    index = commands.add_parser("index", help="build an index over a large corpus on disk, or look into one")
    index.set_defaults(run=_index)
    actions = index.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser(
        "build",
        help="index files of a corpus",
        description="Index the documents of a corpus in one pass, whatever its size, in a folder that "
        "knowledge.indexes takes. The folder appears whole or not at all.",
    )
    build.add_argument(
        "files", nargs="+", type=Path, metavar="CORPUS", help="documents (.jsonl) or PubMed (.xml), plain or .gz"
    )
    build.add_argument("--to", type=Path, required=True, metavar="DIR", help="the new folder")
    build.add_argument(
        "--no-vectors", dest="vectors", action="store_false", help="by words alone: much faster to build, finds less"
    )
    show = actions.add_parser("show", help="what an index holds, and what it finds")
    show.add_argument("folder", type=Path, metavar="DIR", help="what `medrl index build` wrote")
    show.add_argument("query", nargs="?", help="print what it finds for this, and how each score came about")
    for action in (build, show):
        action.add_argument("--encoder", default="all-minilm-l6-v2", help="as knowledge.encoder (default: %(default)s)")


def _count(options: argparse.Namespace) -> None:
    # Ray Data gives its actors arguments by reference, which Ray calls an error at every start.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    from launch.count import count

    count(options.files, options.ontology, options.to, options.workers)


def _index(options: argparse.Namespace) -> None:
    from launch import index

    if options.action == "build":
        index.build(options.files, options.to, options.encoder if options.vectors else None)
    else:
        index.show(options.folder, options.query, options.encoder)
