import traceback
from pathlib import Path

import pytest

from launch.recipe import find_recipe, load_recipe, recipe_names
from launch.rundir import RunDirectory
from medrl.config import Config
from medrl.errors import ConfigError


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_is_valid_and_named_like_its_file(name: str) -> None:
    config = load_recipe(name)
    assert config.name == name
    assert config.run_path == Path("runs") / name


@pytest.mark.contract("12 refused", "a deadline that leaves no time for another try")
def test_a_deadline_that_leaves_no_time_for_another_try_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"settings: rollout.timeout_s=600 is not above .* = 1800: .*raise it$"):
        load_recipe("quickstart", ["rollout.timeout_s=600"])


def test_quickstart_judges_on_enough_questions() -> None:
    """Three models on the same 150 held-out questions or more of 2 to 4 hops; they must be there to be asked."""
    config = load_recipe("quickstart")
    assert 150 <= config.eval.questions <= config.kisa.heldout_questions
    assert (config.kisa.min_hops, config.kisa.max_hops) == (2, 4)
    assert config.grpo.baseline == "mean" and not config.grpo.divide_by_std


def test_a_path_works_and_overrides_win(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ngrpo: {steps: 3}\n")
    config = load_recipe(str(path), ["grpo.steps=5", "model.path=~/models/x"])
    assert isinstance(config, Config)
    assert (config.grpo.steps, config.model.path) == (5, "~/models/x")


def test_a_run_that_was_moved_is_gone_on_with_where_it_is(tmp_path: Path) -> None:
    made = load_recipe("quickstart", ["grpo.steps=5", f"run_dir={tmp_path / 'old'}"])
    RunDirectory(made).close()
    moved = (tmp_path / "old").rename(tmp_path / "new: {x}")
    config = load_recipe(str(moved), ["pool.engines=2"])
    assert (config.run_path, config.grpo.steps, config.pool.engines) == (moved, 5, 2)
    RunDirectory(config).close()
    assert not (tmp_path / "old").exists()
    with pytest.raises(ConfigError, match=r"or a run's folder"):
        load_recipe(str(tmp_path))


def test_an_unknown_recipe_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no recipe 'quikstart': give one of cpu, medical, quickstart"):
        find_recipe("quikstart")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["grpo.group_size=1"], "^settings: grpo.group_size=1: every advantage would be 0"),
        (["gpro.steps=4"], "^settings: unknown key gpro; did you mean grpo"),
        (["grpo=5"], "^settings: grpo=5: it is a section; give one of its keys"),
        (["name=.."], r"^settings: name='..': use letters, digits"),
        (["grpo.lr=.inf"], "^settings: grpo.lr=inf: Input should be a finite number"),
    ],
)
def test_a_setting_s_mistake_is_not_blamed_on_the_recipe(settings: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_recipe("quickstart", settings)


JUDGES = ("judge", "efficiency_judge")  # one is asked after the other
JUDGE = ["reward.judge.url=http://127.0.0.1:8000/v1", "reward.judge.model=expert"]


def test_a_judge_is_given_by_address_and_model(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("name: mine\nreward: {judge: null}\n")
    for source in ("quickstart", str(recipe)):
        judge = load_recipe(source, JUDGE).reward.judge
        assert judge is not None and (judge.host, judge.model) == ("127.0.0.1:8000", "expert")
        assert (judge.temperature, judge.max_tokens, judge.concurrency) == (0.0, 256, 16)
        assert judge.longest_s == 4 * 60 + 3 * 60


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["reward.judge.model=m"], "^settings: reward.judge.url is missing"),
        (["reward.judge_url=http://a/v1"], "unknown key reward.judge_url; did you mean reward.judge.url"),
        (["reward.judge.atempts=2", *JUDGE], "unknown key reward.judge.atempts; did you mean reward.judge.attempts"),
        ([*JUDGE, "reward.judge.attempts=0"], "reward.judge.attempts=0: "),
        ([*JUDGE, "reward.judge.model="], "reward.judge.model"),
        ([*JUDGE, "reward.judge.timeout_s=600"], r"not above the 2580 s that all attempts of reward.judge may take"),
        (
            [each.replace("judge.", f"{name}.") for name in JUDGES for each in (*JUDGE, "reward.judge.timeout_s=300")],
            r"not above the 2760 s that all attempts of reward.judge and reward.efficiency_judge may take",
        ),
        (["reward.irrelevant_below=1"], "reward.irrelevant_below=1: "),
    ],
)
def test_a_judge_s_settings_are_checked(settings: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_recipe("quickstart", settings)


@pytest.mark.parametrize(
    "settings",
    [
        ["reward.judge.url=http://me:open-sesame@judge.example/v1"],
        ["reward.judge.url=https://open-sesame@judge.example/v1"],
        ["reward.judge.url=http://judge.example/v1?key=open-sesame"],
        ["reward.judge.url=http://judge.example/v1#open-sesame"],
        ["reward.judge.url=ftp://open-sesame/v1"],
        ["reward.judge.url=open-sesame"],
        ["reward.judge.url=http://"],
        ["reward.judge.url='http://open-sesame /v1'"],
        ["reward.judge.url=http://open-sesame:99999/v1"],
        ["reward.judge.url=http://open-sesame..example/v1"],
        ["reward.judge.url=http://[open-sesame/v1"],
        ["reward.judge.url=http://judge.example\\@open-sesame/v1"],
        ["reward.judge.key_variable=sk-open-sesame"],
        ["reward.judge=http://me:open-sesame@judge.example/v1"],
        ["reward.judge.url=http://me:open-sesame@judge.example/v1", "reward.judge.timeout_s=soon"],
    ],
)
def test_a_secret_in_an_address_or_in_place_of_a_name_is_refused_unseen(settings: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe("quickstart", [*JUDGE, *settings])
    assert "open-sesame" not in "".join(traceback.format_exception(caught.value))
    assert str(caught.value).count("\n") == 0


def test_a_recipe_s_own_mistake_names_its_file(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("name: mine\ngrpo: {group_size: 1}\n")
    with pytest.raises(ConfigError, match=r"mine.yaml: grpo.group_size=1"):
        load_recipe(str(recipe), ["seed=3"])
    assert load_recipe(str(recipe), ["grpo.group_size=2"]).grpo.group_size == 2


@pytest.mark.contract("12 refused", "double counting, and other settings that contradict each other")
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            ["grpo.ratio=coupled", "grpo.correction.kind=token_tis"],
            "would count twice; use ratio=decoupled, or kind=none",
        ),
        (["grpo.correction.cap=2"], "cap=2.0 means nothing with kind=none: leave it out"),
        (["grpo.correction.kind=icepop", "grpo.correction.cap=2"], "cap=2.0 means nothing with kind=icepop"),
        (["grpo.correction.kind=icepop", "grpo.correction.low=1.5"], "grpo.correction.low=1.5: "),
        (["grpo.aggregation=constant"], "normaliser goes with aggregation=constant"),
        (["grpo.normaliser=9"], "normaliser goes with aggregation=constant"),
        (["learner.sequence_parallel=2"], "sequence_parallel=2 does not divide ranks=1"),
        (["learner.sequence_parallel=2", "learner.ranks=4"], "learner.sequence_parallel=2 is for device=cuda: .* to 1"),
        (["grpo.dual_clip=0.5"], "grpo.dual_clip=0.5: "),
        (
            ["knowledge.sources=[pubmed]", "rollout.workers=4"],
            "network.processes=1, but 4 rollout workers ask at once.*: set it to rollout.workers",
        ),
        (
            ["grpo.groups_in_flight=9", "grpo.refill=2"],
            "a step could never fill; use groups_per_step . refill = 10 or more",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_recipe("quickstart", settings)
