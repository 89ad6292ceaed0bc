"""docs/tutorial.md, done as it says: its files written, its commands run in order, in a fresh folder."""

import gzip
import json
import re
from pathlib import Path

import pytest

from medrl.records import read_jsonl
from medrl.types import Question, Rollout
from tests.pages import ROOT, blocks
from tests.pubmed_dump import write_dump
from tests.shells import run, visit

PAGE = ROOT / "docs" / "tutorial.md"
REAL = ROOT.parent / "shared" / "data" / "pubmed_xml"
CITATIONS = 400
LONGEST_S = 1500.0
"""Of one block, on a machine that does other work besides."""


def said(printed: str, pattern: str) -> int:
    found = re.search(pattern, printed)
    assert found, f"{pattern!r} is not in {printed[-2000:]}"
    return int(found[1].replace(",", ""))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_page_leads_from_a_dump_to_an_agent(tmp_path: Path) -> None:
    dump = tmp_path / "pubmed"  # in place of what the reader fetches
    write_dump(dump, CITATIONS, files=2)
    for path in sorted(REAL.glob("*.xml")):
        (dump / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    printed: dict[str, str] = {}
    for block in blocks(PAGE):
        if block.title:
            block.write(tmp_path)
        elif block.kind == "bash" and block.remark == "server":
            printed[block.text.strip()] = visit(block, tmp_path, LONGEST_S)
        elif block.kind == "bash":
            printed[block.text.strip()] = run(block, tmp_path, LONGEST_S)
    check(tmp_path, printed)


def check(folder: Path, printed: dict[str, str]) -> None:
    """What the page promises of each step."""
    output = {" ".join(command.split()[:2]): text for command, text in printed.items()}
    documents = said(output["medrl count"], r"([\d,]+) documents in")
    assert documents >= CITATIONS
    counted = json.loads((folder / "frequencies.json").read_text())
    assert counted["documents"] == documents and counted["mentions"]["OMIM:154700"] >= 1
    assert said(output["medrl index"], r"index: ([\d,]+) documents") == documents
    first = next(line for line in output["medrl index"].splitlines() if line.startswith("[1]"))
    assert "Marfan syndrome" in first
    assert "not on this machine" not in output["medrl plan"]

    run_path = folder / "runs" / "mine"
    questions = list(read_jsonl(run_path / "data" / "questions.jsonl", Question))
    assert {question.split for question in questions} == {"train", "heldout"}
    gates = [line for line in output["medrl synthesize"].splitlines() if re.match(r"(passed|FAILED) ", line)]
    for gate in ("answer unique on the whole graph", "every clue necessary", "solved by the oracle with the tools"):
        assert any(line.startswith("passed") and line.endswith(gate) for line in gates), gate
    assert "nothing left" not in output["medrl train"]
    losses = [json.loads(line).get("sft/loss") for line in (run_path / "metrics.jsonl").read_text().splitlines()]
    learnt = [loss for loss in losses if loss is not None]
    assert learnt[-1] < learnt[0]
    played = list(read_jsonl(run_path / "trajectories" / "grpo-0000.jsonl", Rollout))
    assert played and all(each.reward is not None for each in played)

    summary = json.loads((run_path / "summary.json").read_text())
    asked = sum(question.split == "heldout" for question in questions)
    assert {summary[part]["n"] for part in ("base", "sft", "rl")} == {min(asked, 20)}
    assert "rl-sft" in output["medrl eval"] and "report.html" in output["medrl report"]
    assert (run_path / "report.html").stat().st_size > 10_000
    assert "<html" in output["medrl dashboard"] and "Ask the agent" in output["medrl serve"]
    assert "not medical advice" in output["medrl ask"].lower() or "no medical advice" in output["medrl ask"].lower()


def test_the_page_names_a_file_for_each_that_it_uses() -> None:
    """Recipes that commands name are written before, and commands to run are those of the first pass."""
    written: set[str] = set()
    for block in blocks(PAGE):
        if block.title:
            written.add(block.title)
        elif block.kind == "bash":
            assert set(re.findall(r"\S+\.yaml", block.text)) <= written, block
    assert written == {"mine.yaml"}
