import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def names(text: str) -> set[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", line.strip()) for line in text.splitlines())
    return {match.group().lower().replace("_", "-") for match in found if match}


def test_every_package_is_listed() -> None:
    """The list is explicit, so that nothing else gets installed; a folder that is not on it would be missing."""
    top = ("medrl", "envs", "kisa", "actors", "launch")
    there = {
        ".".join(path.parent.relative_to(ROOT).parts) for each in top for path in (ROOT / each).rglob("__init__.py")
    }
    assert set(setup()["options"]["packages"].split()) == there


def test_the_pinned_list_covers_what_is_asked_for_and_nothing_that_breaks() -> None:
    pinned = names((ROOT / "requirements" / "cpu.txt").read_text())
    extras = setup()["options.extras_require"]
    asked = names(setup()["options"]["install_requires"]) | names(extras["cpu"]) | names(extras["dev"])
    assert asked - pinned == {"torch"}  # taken from its own index, see the Makefile
    assert not pinned & {"torchvision", "torchaudio", "torchcodec"}
