"""`medrl export` and `medrl import` on a dataset that was synthesised with the real tools."""

import json
from pathlib import Path

import pytest
import yaml
from transformers import AutoTokenizer

from kisa.dataset import load_dataset, synthesize
from kisa.formats.webshaper import query_of
from kisa.knowledge import build_knowledge
from launch import cli
from medrl.config import load
from tests.kisa.ontology import write_ontology
from tests.tiny import save_tiny


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose dataset is made: three training questions and one held out."""
    folder = tmp_path_factory.mktemp("made")
    values = {
        "name": "test",
        "seed": 3,
        "out": str(folder / "data"),
        "model": {"path": str(save_tiny(folder / "model")), "max_length": 9000},  # a token is a byte
        "env": {"max_turn_tokens": 400, "observation_tokens": 120},  # some responses are cut
        "knowledge": {"ontology": str(write_ontology(folder / "ontology")), "cache": str(folder / "cache")},
        "kisa": {
            "train_questions": 3,
            "heldout_questions": 1,
            "rare_percentile": 100,
            "heldout_fraction": 0.5,
            "hop_shares": {2: 0.5, 3: 0.25, 4: 0.25},
            "differential_fraction": 0.0,
            "refuse_one_search": False,
        },
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    config = load(path)
    synthesize(
        config, build_knowledge(config.knowledge), config.data_path, AutoTokenizer.from_pretrained(config.model.path)
    )
    return path


def test_a_dataset_comes_back_byte_by_byte(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, qa, messages, back = recipe.parent / "data", tmp_path / "qa.jsonl", tmp_path / "m.jsonl", tmp_path / "back"
    assert cli.main(["export", "qa", str(recipe), "--to", str(qa)]) == 0
    assert cli.main(["export", "messages", str(recipe), "--to", str(messages)]) == 0
    assert capsys.readouterr().out == f"{qa}\n{messages}\n"
    assert cli.main(["import", "qa", str(qa), "--to", str(back)]) == 0
    assert cli.main(["import", "messages", str(messages), str(recipe), "--to", str(back)]) == 0
    assert capsys.readouterr().out == f"{back / 'questions.jsonl'}: 4\n{back / 'trajectories.jsonl'}: 3\n"
    for name in ("questions.jsonl", "trajectories.jsonl"):
        assert (back / name).read_bytes() == (data / name).read_bytes()
    assert any("…" in step.observation for rollout in load_dataset(back).trajectories for step in rollout.steps)


def test_webshaper_is_written_beside_the_questions(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = recipe.parent / "data" / "webshaper.jsonl"
    assert cli.main(["export", "webshaper", str(recipe)]) == 0
    assert capsys.readouterr().out == f"{written}\n"
    lines = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    data = load_dataset(written.parent)
    assert [query_of(line["formalization"]) for line in lines] == [q.query for q in (*data.train, *data.heldout)]
    assert cli.main(["export", "webshaper", str(recipe)]) == 0  # the same again


def test_no_other_file_is_replaced(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_bytes(b"\xff my own work")
    assert cli.main(["export", "qa", str(recipe), "--to", str(mine)]) == 2
    said = f"medrl: {mine} is there and holds something else: give another --to, or delete it\n"
    assert capsys.readouterr().err == said
    assert mine.read_bytes() == b"\xff my own work"
    assert cli.main(["export", "qa", str(recipe), "--to", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"medrl: {tmp_path} cannot be written (Is a directory): give another --to\n"
    assert cli.main(["export", "qa", str(recipe), "--to", str(mine / "below.jsonl")]) == 2
    assert f"{mine / 'below.jsonl'} cannot be written (File exists): give another --to\n" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [mine]


def test_an_import_is_whole_or_not_at_all(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, to = tmp_path / "qa.jsonl", tmp_path / "to"
    assert cli.main(["export", "qa", str(recipe), "--to", str(file)]) == 0
    with file.open("a", encoding="utf-8") as lines:
        lines.write('{"question": "What is the full name of AI?", "answer": "Artificial Intelligence"}\n')
    to.mkdir()
    (to / "unproved.jsonl").write_text("{}\n", encoding="utf-8")
    assert cli.main(["import", "qa", str(file), "--to", str(to)]) == 2
    assert [each.name for each in to.iterdir()] == ["unproved.jsonl"]
    (to / "unproved.jsonl").unlink()
    capsys.readouterr()
    assert cli.main(["import", "qa", str(file), "--to", str(to)]) == 0
    assert capsys.readouterr().out == f"{to / 'questions.jsonl'}: 4\n{to / 'unproved.jsonl'}: 1\n"
    assert json.loads((to / "unproved.jsonl").read_text(encoding="utf-8")) == {
        "text": "What is the full name of AI?",
        "answer": "Artificial Intelligence",
        "reasoning_path": "",
        "entity_mapping": {},
        "id": None,
        "question": None,
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["export", "qa", "quickstart", "run_dir=/nowhere"], "/nowhere/data holds no questions yet: `medrl synthesize"),
        (["import", "qa", "/nowhere/qa.jsonl", "--to", "x"], "/nowhere/qa.jsonl: No such file or directory"),
        (["import", "qa", "/dev/null", "--to", "x"], "/dev/null is empty: there is nothing to import"),
    ],
)
def test_what_the_user_can_mend(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"medrl: {says}") and shown.err.count("\n") == 1 and shown.out == ""


def test_a_dataset_of_another_model_is_not_exported(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_tiny(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = tokenizer.chat_template.replace("'\n'", "' \n'")
    tokenizer.save_pretrained(model)
    to = tmp_path / "m.jsonl"
    assert cli.main(["export", "messages", str(recipe), f"model.path={model}", "--to", str(to)]) == 2
    assert "begins otherwise than this model and these tools let it" in capsys.readouterr().err
    assert not to.exists()
