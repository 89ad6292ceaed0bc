"""What the documentation points to is there: links, commands, settings, files."""

import re
from pathlib import Path

import pytest

from launch import cli
from launch.recipe import FOLDER
from medrl.config import Config, known_keys, load
from tests.pages import PAGES, ROOT, anchors, blocks, commands, links

#: The log tells what was, with the commands and settings of its day.
OF_TODAY = [page for page in PAGES if page.name != "log.md"]
_NAMED = re.compile(rf"`((?:{'|'.join(Config.model_fields)})(?:\.[a-z_]+)+)(?:=[^`]*)?`")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        address, _, anchor = link.partition("#")
        if address.startswith(("http://", "https://")):
            continue
        target = (page.parent / address).resolve() if address else page
        assert target.exists(), f"{link}: there is no {target}"
        assert not anchor or anchor in anchors(target), f"{link}: {target.name} has no such heading"


@pytest.mark.parametrize("page", OF_TODAY, ids=named)
def test_commands_are_such_as_medrl_takes(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in commands(page):
        chosen = [word.partition("|")[0] if re.fullmatch(r"[\w|-]+", word) else word for word in words]
        try:
            options = vars(cli._parser().parse_args(chosen))
        except SystemExit as end:
            if end.code and not is_name(chosen):
                pytest.fail(f"medrl {' '.join(words)}: {capsys.readouterr().err.strip().splitlines()[-1]}")
            continue
        settings = [each for each in options.get("settings") or [] if each != "section.key=value"]
        load(FOLDER / "quickstart.yaml", tuple(settings))


def is_name(words: list[str]) -> bool:
    """Whether the words are no more than a command's name, as in "what `medrl index build` wrote"."""
    parser = cli._parser()
    for word in words:
        known = next((each.choices for each in parser._actions if each.choices and word in each.choices), None)
        if known is None:
            return False
        parser = known[word] if isinstance(known, dict) else parser
    return True


@pytest.mark.parametrize("page", OF_TODAY, ids=named)
def test_settings_that_are_named_are_there(page: Path) -> None:
    keys = known_keys()
    for name in _NAMED.findall(page.read_text(encoding="utf-8")):
        is_module = (ROOT / name.replace(".", "/")).with_suffix(".py").exists()
        is_setting = any(key == name or key.startswith(f"{name}.") for key in keys)
        assert is_setting or is_module, f"there is no setting {name}"


@pytest.mark.parametrize("page", OF_TODAY, ids=named)
def test_recipes_that_are_shown_can_be_read(page: Path, tmp_path: Path) -> None:
    """Whole ones, which have a name, as they are; parts of one with a name before them."""
    for block in blocks(page):
        if block.kind == "yaml" and not re.search(r"^recipe:", block.text, re.MULTILINE):  # a sweep's has one
            text = block.text if re.search(r"^name:", block.text, re.MULTILINE) else f"name: part\n{block.text}"
            (tmp_path / "shown.yaml").write_text(text, encoding="utf-8")
            load(tmp_path / "shown.yaml")


@pytest.mark.parametrize("page", OF_TODAY, ids=named)
def test_files_of_the_project_that_are_named_are_there(page: Path) -> None:
    packages = "|".join(["medrl", "envs", "kisa", "actors", "launch", "tests", "benchmarks", "requirements"])
    for name in re.findall(rf"`((?:{packages})/[\w/.-]+)`", page.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), f"there is no {name}"


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    told = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    pages = {page for page in PAGES if page.parent == index.parent and page != index}
    assert not pages - told, f"docs/README.md does not say what these are for: {pages - told}"


def test_a_page_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One page\n[a](#one-page) [b](#two) [c](https://example.org/none)\n\n    medrl trian x   # a remark\n"
        "`medrl index build` and `medrl cluster slurm|kubernetes x > job.sh`\n```bash title=a.sh\nmedrl plan x &\n```\n"
    )
    assert anchors(page) == {"one-page"}
    assert links(page) == ["#one-page", "#two", "https://example.org/none"]
    assert list(commands(page)) == [
        ["trian", "x"],
        ["plan", "x"],
        ["index", "build"],
        ["cluster", "slurm|kubernetes", "x"],
    ]
    assert [(each.kind, each.title, each.text, each.line) for each in blocks(page)] == [
        ("bash", "a.sh", "medrl plan x &\n", 6)
    ]
    assert is_name(["index", "build"]) and is_name(["plan"]) and not is_name(["trian"]) and not is_name(["plan", "x"])
