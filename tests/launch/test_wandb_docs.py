"""docs/wandb.md names keys that there are, and all summaries."""

import re
from pathlib import Path

from launch.wandb_run import EPISODES, ROWS, SUMMARIES, TRANSCRIPT
from medrl.metrics import GLOSSARY

PAGE = (Path(__file__).parents[2] / "docs" / "wandb.md").read_text(encoding="utf-8")
FAMILIES = {key.partition("/")[0] for key in GLOSSARY}


def test_every_key_on_the_page_is_logged() -> None:
    named = {each for each in re.findall(r"`([^`\s]+)`", PAGE) if "/" in each and each.partition("/")[0] in FAMILIES}
    assert len(named) > 50 and named - {"sft/step", "sft/*"} <= GLOSSARY.keys()
    assert f"| episodes, table | `{EPISODES}` |" in PAGE


def test_the_page_lists_the_summaries_as_they_are() -> None:
    rows = re.findall(r"^\| (max|min|mean), last \| (.*) \|$", PAGE, flags=re.MULTILINE)
    found = {key: f"{best},last" for best, keys in rows for key in re.findall(r"`([^`]+)`", keys)}
    assert found == SUMMARIES


def test_the_page_tells_the_sizes_of_a_table() -> None:
    assert f"at most {ROWS} episodes" in PAGE and f"the first {TRANSCRIPT:,} letters" in PAGE
