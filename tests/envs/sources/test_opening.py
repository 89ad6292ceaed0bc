from pathlib import Path

import pytest
from pydantic import ValidationError

from envs.sources.opening import open_sources
from medrl.errors import ConfigError
from medrl.sections.knowledge import KnowledgeConfig
from tests.envs.asking import KEY
from tests.envs.sources.test_orange_book import write


def test_none_is_opened_by_default() -> None:
    assert open_sources(KnowledgeConfig()) == ()


def test_sources_come_in_the_order_they_are_named_in_each_once(tmp_path: Path) -> None:
    config = KnowledgeConfig(
        sources=("openfda", "orange_book", "pubmed", "clinical_trials", "openfda"),
        orange_book=str(write(tmp_path / "book")),
        cache=str(tmp_path / "cache"),
    )
    assert [each.name for each in open_sources(config)] == ["openfda", "orange_book", "pubmed", "clinical_trials"]


def test_the_orange_book_wants_a_folder() -> None:
    with pytest.raises(ValidationError, match="orange_book is not set: give the folder"):
        KnowledgeConfig(sources=("orange_book",))


@pytest.mark.parametrize("name", ["pubmed", "openfda"])
def test_a_key_that_can_be_none_is_refused_when_it_is_opened(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NCBI_API_KEY", "OPENFDA_API_KEY"):
        monkeypatch.setenv(variable, f" {KEY}")
    with pytest.raises(ConfigError, match="holds a blank") as caught:
        open_sources(KnowledgeConfig.model_validate({"sources": [name]}))
    assert KEY not in str(caught.value)
