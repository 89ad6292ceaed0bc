"""Which model is asked; and, slowly, that a real one can be."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.seats import Node, seats
from launch import cli
from launch.ask import opening
from launch.ask.opening import calibration_of, choose, playing_alone
from medrl.config import Config, parse
from medrl.errors import ConfigError
from medrl.records import write_text
from tests.launch.ask.test_calibration import evaluated
from tests.tiny import save_tiny


def run_of(folder: Path, *checkpoints: str) -> Path:
    config = parse({"name": "old", "run_dir": "/somewhere/else"}, "the test")
    write_text(folder / "config.yaml", config.to_yaml())
    for name in checkpoints:
        save_tiny(folder / "checkpoints" / name)
    return folder


@pytest.mark.parametrize(
    ("there", "wanted", "taken"),
    [(("rl", "sft"), None, "rl"), (("sft",), None, "sft"), (("rl", "sft"), "sft", "sft")],
)
def test_the_last_checkpoint_unless_another_is_wanted(
    tmp_path: Path, there: tuple[str, ...], wanted: str | None, taken: str
) -> None:
    chosen = choose(run_of(tmp_path, *there), wanted, None, ["pool.max_sequences=3"])
    assert (chosen.name, chosen.model, chosen.checkpoint) == (f"old-{taken}", tmp_path / "checkpoints" / taken, taken)
    assert chosen.config.run_path == tmp_path  # where it is now
    assert chosen.config.pool.max_sequences == 3


@pytest.mark.parametrize(
    ("there", "wanted", "recipe", "said"),
    [
        ((), None, None, "has no checkpoint yet: train it, or ask the base model with --checkpoint base"),
        (("sft",), "rl", None, "has no checkpoint 'rl'; it has sft, base"),
        (("sft",), None, "quickstart", "is a run, which has its recipe: leave --recipe out"),
    ],
)
def test_a_run_without_it_says_what_there_is(
    tmp_path: Path, there: tuple[str, ...], wanted: str | None, recipe: str | None, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        choose(run_of(tmp_path, *there), wanted, recipe)


@pytest.mark.parametrize(
    ("settings", "there"),
    [
        ([], True),
        (["pool.max_sequences=3", "env.timeout_s=9"], True),
        (["grpo.temperature=0.4"], False),
        (["env.max_turns=2"], False),
    ],
)
def test_held_out_questions_say_nothing_of_other_settings(tmp_path: Path, settings: list[str], there: bool) -> None:
    run = evaluated(run_of(tmp_path, "rl"))
    assert (calibration_of(choose(run, None, None, settings)) is not None) == there


def test_a_model_s_folder_needs_a_recipe_and_has_no_checkpoints(tmp_path: Path) -> None:
    model = save_tiny(tmp_path / "mine")
    chosen = choose(model, None, "quickstart")
    assert (chosen.name, chosen.model, chosen.run, chosen.config.name) == ("mine", model, None, "quickstart")
    assert calibration_of(chosen) is None
    with pytest.raises(ConfigError, match="give --recipe too"):
        choose(model, None, None)
    with pytest.raises(ConfigError, match="leave --checkpoint out"):
        choose(model, "rl", "quickstart")
    with pytest.raises(ConfigError, match="no run .* and no model"):
        choose(tmp_path, None, None)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({}))
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ConfigError, match="is a pickle"):
        choose(tmp_path, None, "quickstart")


def gpus(config: Config) -> Config:
    return config.model_copy(update={"device": "cuda"})


def test_to_ask_takes_the_engines_gpus_alone() -> None:
    config = gpus(parse({"name": "big", "pool": {"engines": 1}, "learner": {"ranks": 7}}, "the test"))
    one = [Node("a", "a", 8, 1)]
    with pytest.raises(ConfigError, match="need 8 GPUs"):
        seats(config, one)
    assert set(seats(playing_alone(config), one)) == {"engine-0", "reward", "curriculum"}


def test_what_the_agent_would_refuse_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(tmp_path, "rl")
    started: list[object] = []

    @contextmanager
    def opened(chosen: object) -> Iterator[None]:
        started.append(chosen)
        raise ConfigError("started")
        yield

    monkeypatch.setattr(opening, "opened", opened)
    for question, said in (("word " * 20_000, "the question is too long: with"), ("Which \udce4?", "is not UTF-8")):
        assert cli.main(["ask", question, "--model", str(run)]) == 2
        assert said in capsys.readouterr().err and not started
    assert cli.main(["ask", "Which gene?", "--model", str(run), "--set", "model.max_length=16384"]) == 2
    assert capsys.readouterr().err == "medrl: started\n" and started
