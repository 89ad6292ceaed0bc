"""One agent fails for good: the others are played and compared, and the same command goes on with what is missing."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from launch import cli
from medrl.chat import render_answer
from medrl.errors import Stalled
from medrl.records import whole_lines
from tests.launch.benchmarks.no_engines import in_place_of_engines
from tests.launch.benchmarks.test_end_to_end import write_benchmark, write_recipe
from tests.misbehaving import Asked, Behaviour, MisbehavingServer, says, status

QUESTIONS = 13
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("recipe"))


@pytest.fixture
def works() -> Iterator[MisbehavingServer]:
    """Two models: `good` knows every gene, `poor` one."""

    def behave(asked: Asked) -> Behaviour:
        number = re.findall(r"Disease (\d+)\?", asked.question)[-1]
        return says(render_answer("so", f"GEN{number}" if asked.body["model"] == "good" else "GEN1"))

    with MisbehavingServer(behave) as server:
        yield server


@pytest.fixture
def refused() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/v1"


def command(folder: Path, recipe: Path, models: dict[str, str], *agents: str) -> list[str]:
    """`models`: addresses by name; all that are asked are played without tools."""
    entries = [f"{{url: {url}, model: {name}, {_IMPATIENT}}}" for name, url in models.items()]
    settings = [f"run_dir={folder}/run", f"eval.models=[{', '.join(entries)}]"]
    benchmark = write_benchmark(folder / "questions.csv", QUESTIONS)
    asked = [f"--agent={name}" for name in agents or models]
    return ["eval", str(recipe), *settings, "--on", f"medbrowsecomp={benchmark}", "--tools", "none", *asked]


_IMPATIENT = "backoff_s: 0, attempts: 1, concurrency: 1"


def compared(shown: str, gone: str) -> None:
    """The tables hold the two that work, beside one another, and say who is missing."""
    assert f"Not here, as it was not played to the end: {gone}, no tools.\n" in shown
    assert re.search(r"^poor, no tools +13 ", shown, re.M) and re.search(r"^good, no tools +13 ", shown, re.M)
    assert re.search(r"^minus poor, no tools .*\ngood, no tools +\+0\.\d{3} .* resolved$", shown, re.M)
    assert not re.search(rf"^{gone},", shown, re.M)


@pytest.mark.parametrize(
    ("fails", "why"),
    [
        (lambda asked: status(500), "HTTP status 500 (1 attempt); 10 items in a row had no reply"),
        (lambda asked: status(401), "HTTP status 401; "),
        (lambda asked: status(400, "no such model"), "it took no other request either"),
        (None, "ConnectError"),
    ],
    ids=["500", "401", "400", "closed"],
)
def test_an_endpoint_that_fails_leaves_the_others_as_they_are(
    fails: Any, why: str, works: MisbehavingServer, refused: str, recipe: Path, tmp_path: Path, capfd: Any
) -> None:
    with MisbehavingServer(fails or []) as server:
        gone = server.url if fails else refused
        asked = command(tmp_path, recipe, {"gone": gone, "poor": works.url, "good": works.url})
        assert cli.main(asked) == 1
    shown = capfd.readouterr()
    compared(shown.out, "gone")
    at_once = next(line for line in shown.err.splitlines() if line.startswith("eval gone: could not be played"))
    last = shown.err.splitlines()[-1]
    assert last.startswith("medrl: not played to the end: gone (gone at 127.0.0.1:")
    assert why in at_once and why in last
    assert last.endswith("). The same command goes on with what is missing")
    report = (tmp_path / "run" / "benchmarks" / "report.md").read_text(encoding="utf-8")
    assert "not played to the end: gone, no tools." in report and "| good, no tools | 13 |" in report


def test_what_it_had_finished_is_kept_and_the_same_command_goes_on(
    works: MisbehavingServer, recipe: Path, tmp_path: Path, capfd: Any
) -> None:
    taken = 2

    def behave(asked: Asked) -> Behaviour:
        return status(500) if len(server.requests) > taken else says(render_answer("so", "GEN1"))

    with MisbehavingServer(behave) as server:
        asked = command(tmp_path, recipe, {"poor": works.url, "gone": server.url, "good": works.url})
        assert cli.main(asked) == 1
        compared(capfd.readouterr().out, "gone")
        kept = tmp_path / "run" / "benchmarks" / "medbrowsecomp" / "gone-none" / "items.jsonl"
        before, tried, of_others = whole_lines(kept), len(server.requests), len(works.requests)
        assert len(before) == 2
        taken = 1000
        assert cli.main(asked) == 0
        assert len(server.requests) == tried + QUESTIONS - 1 - 2  # the long one is asked of nobody
    assert whole_lines(kept)[:2] == before and len(whole_lines(kept)) == QUESTIONS
    assert len(works.requests) == of_others
    shown = capfd.readouterr()
    assert "Not here" not in shown.out and re.search(r"^gone, no tools +13 ", shown.out, re.M)


def not_started(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """There are no engines to be had."""

    def start_players(*arguments: object, **named: object) -> NoReturn:
        raise error

    in_place_of_engines(monkeypatch, start_players)


def test_engines_that_fail_leave_the_endpoints_as_they_are(
    works: MisbehavingServer, recipe: Path, tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_started(monkeypatch, Stalled("engine-0 did not start in 1 s"))
    models = {"poor": works.url, "good": works.url}
    assert cli.main(command(tmp_path, recipe, models, "base", "poor", "good")) == 1
    shown = capfd.readouterr()
    compared(shown.out, "Base")
    assert "eval base: could not be played to the end: engine-0 did not start in 1 s\n" in shown.err
    assert "medrl: not played to the end: base (engine-0 did not start in 1 s). The same" in shown.err


def test_a_mistake_of_ours_is_nobody_s_outage(
    works: MisbehavingServer, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_started(monkeypatch, ValueError("ours"))
    with pytest.raises(ValueError, match="ours"):
        cli.main(command(tmp_path, recipe, {"good": works.url}, "base", "good"))


def test_where_nobody_could_be_played_there_is_no_table(refused: str, recipe: Path, tmp_path: Path, capfd: Any) -> None:
    for first in ((), ("--first", "3")):  # of three questions an endpoint cannot be told to be down
        assert cli.main([*command(tmp_path, recipe, {"gone": refused}), *first]) == 1
        shown = capfd.readouterr()
        assert "gone" not in shown.out and "report:" not in shown.out
        assert re.search(r"^medrl: not played.* gone.*ConnectError", shown.err, re.M)
    assert not (tmp_path / "run" / "benchmarks" / "report.md").exists()


@pytest.mark.parametrize(
    ("agent", "said"), [("nobody", "--agent nobody: neither"), ("locked", "put it into the environment as NO_SUCH_KEY")]
)
def test_a_mistake_of_the_user_ends_it_before_anything_is_played(
    agent: str, said: str, works: MisbehavingServer, recipe: Path, tmp_path: Path, capfd: Any
) -> None:
    models = {"good": works.url, "locked": f"{works.url}, key_variable: NO_SUCH_KEY"}
    assert cli.main(command(tmp_path, recipe, models, "good", agent)) == 2
    assert said in capfd.readouterr().err and not works.requests
