"""docs/extending.md, block by block: its code runs as it stands, in one folder, in the page's order."""

from pathlib import Path
from typing import Any

import pytest

from tests.pages import ROOT, blocks
from tests.shells import run

PAGE = ROOT / "docs" / "extending.md"


@pytest.mark.slow
def test_every_example_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "extending"}
    ran = []
    for block in blocks(PAGE):
        if block.title:
            block.write(tmp_path)
        elif block.kind == "bash":
            run(block, tmp_path, timeout_s=900)
            ran.append("bash")
        elif block.kind == "python":
            code = "\n" * block.line + block.text  # so that a traceback names the page's own line
            exec(compile(code, str(PAGE), "exec"), names)
            ran.append("python")
    assert ran.count("python") >= 6 and ran.count("bash") >= 2
