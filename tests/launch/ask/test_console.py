import asyncio
import io

import pytest

from launch.ask.agent import Asked
from launch.ask.console import Console
from launch.ask.events import STATEMENT, Acted
from tests.launch.ask.fakes import BRCA2, DOWN, FBN1, SEARCH, SILENT, scripted


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(out: io.StringIO, *samples: tuple[str, ...]) -> str:
    agent, _ = scripted(*samples)
    asyncio.run(agent.ask(Asked("Which gene?", 5), Console(out, 5).tell))
    return out.getvalue()


def test_plain_lines_where_there_is_no_terminal() -> None:
    text = told(io.StringIO(), BRCA2, FBN1, FBN1, SILENT, FBN1)
    lines = text.splitlines()
    assert "\x1b" not in text and "\r" not in text
    assert lines[0].split() == "thinks I look for the disease.".split()
    assert lines[1].split() == "asks medical_retriever query: pectus carinatum".split()
    assert lines[2].startswith("  reads    [OMIM:154700] Marfan syndrome") and "[web:1] (untrusted)" in text
    assert "  answers  BRCA2" in lines and "Answer: FBN1" in lines
    assert lines.index("  answers  BRCA2") < lines.index("Answer: FBN1")
    assert "Other answers: BRCA2 (1)" in lines and "Without an answer: 1" in lines
    assert any(line.startswith("  [1]      OMIM:154700 (shows it and named, 3 samples): ") for line in lines)
    assert text.replace("\n", " ").endswith(f"{STATEMENT} ")
    assert max(map(len, lines)) <= 110


def test_a_source_that_somebody_else_wrote_is_marked() -> None:
    text = " ".join(told(io.StringIO(), BRCA2, SILENT).split())
    assert "[1] web:1 (untrusted, shows it, 1 sample): " in text


def test_a_terminal_shows_the_turn_that_is_being_sampled_and_leaves_none_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("launch.ask.agent.TELL_EVERY_S", 0.0)
    text = told(Terminal(), FBN1)
    assert "\x1b[1mFBN1\x1b[0m" in text
    drawn = [line.split("\r\x1b[K") for line in text.split("\n")]
    assert any("I look for th" in part and "disease" not in part for parts in drawn for part in parts[:-1])
    assert sum("I look for" in parts[-1] for parts in drawn) == 1  # the whole one


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ((SILENT,), "No answer was found."),
        ((SILENT,), "ends     without an answer (no_tool_call)"),
        ((FBN1, (DOWN,)), "Could not be played: 4 (engine-0 has died)"),
        (((SEARCH, DOWN + FBN1[1]),), "something under the agent failed; from the beginning"),
        (((DOWN,), FBN1), "fails    engine-0 has died"),
    ],
)
def test_what_went_wrong_is_said(samples: tuple[tuple[str, ...], ...], said: str) -> None:
    assert said in told(io.StringIO(), *samples)


def test_a_document_cannot_write_over_the_terminal() -> None:
    out = io.StringIO()
    Console(out, 1).tell(Acted(0, 0, "a\x1b[2Jb\rc\x9b1md\u202ee\nf", None, "FBN1\x1b]0;title\x07", "…"))
    assert out.getvalue().split() == ["thinks", "a[2Jbc1mde", "f", "answers", "FBN1]0;title"]
