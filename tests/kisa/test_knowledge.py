from pathlib import Path

import pytest

from envs.corpus import DiseaseProfile
from kisa import workshop
from kisa.dataset import synthesize
from kisa.entities import CorpusFrequency, countable
from kisa.graph import KnowledgeGraph
from kisa.knowledge import build_knowledge, knowledge_path, load_frequencies, write_frequencies
from medrl.config import Config
from medrl.errors import DataError
from medrl.records import read_jsonl
from medrl.sections.knowledge import KnowledgeConfig
from tests.kisa.library import open_library
from tests.kisa.test_dataset import _config
from tests.tiny import tiny_tokenizer


def test_a_corpus_s_counts_take_the_place_of_the_built_ones(tmp_path: Path) -> None:
    built, counted = CorpusFrequency(9, {"a": 1}), CorpusFrequency(30, {"a": 0, "ä": 2})
    write_frequencies(tmp_path / "frequencies.json", built)
    write_frequencies(tmp_path / "pubmed.json", counted)
    assert load_frequencies(tmp_path) == built
    assert load_frequencies(tmp_path, str(tmp_path / "pubmed.json")) == counted


@pytest.mark.parametrize("text", [None, "{", "[]", '{"documents": 3}', '{"documents": 3, "mentions": {"a": "many"}}'])
def test_counts_that_cannot_be_read_are_refused_with_what_to_do(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "pubmed.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=rf"^{path}: unreadable .*`medrl count` wrote$") as raised:
        load_frequencies(tmp_path, str(path))
    assert "\n" not in str(raised.value)


def test_seeds_are_rare_in_the_corpus_that_was_counted(
    folder: Path, tmp_path: Path, graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "open_toolbox", lambda *_, **__: open_library(graph))
    values = _config(folder, tmp_path / "cache").model_dump()
    values["knowledge"]["frequencies"] = str(tmp_path / "pubmed.json")
    config = Config.model_validate(values)
    knowledge = build_knowledge(config.knowledge)
    common = dict.fromkeys(countable(graph), 31)
    write_frequencies(tmp_path / "pubmed.json", CorpusFrequency(30_000_000, common))
    with pytest.raises(DataError, match="only 0 of 3 train questions"):
        synthesize(config, knowledge, tmp_path / "data", tiny_tokenizer())
    write_frequencies(tmp_path / "pubmed.json", CorpusFrequency(32_000_000, common))
    assert synthesize(config, knowledge, tmp_path / "data", tiny_tokenizer())["train"]["questions"] == 3


def test_the_folder_follows_the_prevalences(folder: Path, tmp_path: Path) -> None:
    plain = KnowledgeConfig(ontology=str(folder), cache=str(tmp_path / "cache"))
    table = tmp_path / "prevalence.tsv"
    table.write_text("disease\tprevalence\nOMIM:2\t1-5 / 10 000\n")
    known = plain.model_copy(update={"prevalence": str(table)})
    built = build_knowledge(known)
    assert built == knowledge_path(known) != knowledge_path(plain)
    priors = {each.id: each.prior for each in read_jsonl(built / "profiles.jsonl", DiseaseProfile)}
    assert priors == {"OMIM:1": 1.0, "OMIM:2": 75.0, "OMIM:3": 1.0, "OMIM:4": 1.0}
    table.write_text("disease\tprevalence\nDOID:2\t1-5 / 10 000\n")
    with pytest.raises(
        DataError, match=f"^{table}: none of its 1 diseases is in the ontology; write ids as in ORPHA:558$"
    ):
        build_knowledge(known)
