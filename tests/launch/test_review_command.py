"""`medrl review` from the command line, and what its ratings then do to a run."""

import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from actors.judge import ExpertJudge
from actors.reward import expert_rater, rate
from launch import cli
from launch.advice import warnings
from launch.footprint import read_shape
from launch.plan import render_plan
from launch.preflight import knowledge_checks
from launch.ratings_summary import render_summary
from launch.recipe import load_recipe
from medrl.errors import ConfigError, DataError
from medrl.judge import Preference
from medrl.preferences import LearntExpert
from medrl.ratings import RatedEpisode, Rating, append
from medrl.rewards import rubric_expert, wasteful
from medrl.sections.endpoint import JudgeConfig
from medrl.sections.episodes import RewardConfig
from medrl.types import Reward
from tests.launch.sample_run import write_sample_run
from tests.launch.test_footprint import SHAPE, write_model
from tests.medrl.episodes import TWO_HOPS
from tests.medrl.test_gaming import HONEST_RIGHT

GOOD = RatedEpisode("rl", 0, "good", dict(zip(("supported", "chain", "cited", "correct"), [1.0] * 4, strict=True)), 1.2)
ZERO = dict.fromkeys(("mistakes", "repeats", "late", "irrelevant"), 0.0)


def rated_episode(digest: str, reward: float, **features: float) -> RatedEpisode:
    names = ("supported", "chain", "cited", "correct", "mistakes", "repeats", "late", "irrelevant")
    return RatedEpisode("rl", 0, digest, dict.fromkeys(names, 0.0) | features, reward)


def ratings_of(path: Path, *, questions: int, raters: int = 2, flip: float = 0.0, seed: int = 0) -> Path:
    """Raters who want few repeats, which the rubric does not look at, and now and then err; and who score both."""
    rng = np.random.default_rng(seed)
    for number in range(questions):
        tidy = rated_episode(f"{number}a", 1.0, supported=1.0, correct=1.0)
        messy = rated_episode(f"{number}b", 1.1, supported=1.0, correct=1.0, cited=0.25, repeats=0.75)
        for rater in range(raters):
            preference: Preference = "second" if rng.random() < flip else "first"
            named = {"time": "2026-11-26T09:00:00+00:00", "rater": f"R{rater}", "question_id": f"q{number}"}
            line = f"{number}-{rater}"
            append(path, Rating(f"p{line}", kind="preference", episodes=(tidy, messy), preference=preference, **named))
            for episode, score in ((tidy, 8), (messy, 3)):
                said = rng.integers(-1, 2) + score
                append(path, Rating(f"s{line}{score}", kind="rating", episodes=(episode,), score=int(said), **named))
    return path


def row(text: str, name: str) -> str:
    (found,) = [line for line in text.splitlines() if line.startswith(f"  {name}  ")]
    return found.removeprefix(f"  {name}").strip()


def test_the_summary_tells_what_the_rubric_misses(tmp_path: Path) -> None:
    text = render_summary(ratings_of(tmp_path / "r.jsonl", questions=40, flip=0.1), seed=0)
    assert row(text, "R0") == "40 preferences, 80 scores"
    assert row(text, "together") == "240 on 40 questions; 0 taken back"
    assert row(text, "verdicts and rubric").startswith("same side in 0.")
    share = float(row(text, "verdicts and rubric").split()[3])
    assert share == pytest.approx(0.1, abs=0.06)
    assert float(row(text, "scores and reward").split()[2]) < -0.7
    assert "  scores                    mean 5." in text
    assert "held-out verdicts foretold: 0.9" in text
    assert "the built-in rubric 0.0" in text


def test_raters_who_agree_and_who_toss_coins(tmp_path: Path) -> None:
    def alpha(text: str) -> float:
        between = text.split("agreement between raters")[1]
        return float(row(between, "preferences").split()[0])

    same = render_summary(ratings_of(tmp_path / "same.jsonl", questions=30, flip=0.2, raters=1), seed=0)
    assert "preferences               no item that several rated" in same
    coins = render_summary(ratings_of(tmp_path / "coins.jsonl", questions=60, flip=0.5), seed=0)
    assert abs(alpha(coins)) < 0.35
    fair = render_summary(ratings_of(tmp_path / "fair.jsonl", questions=60, flip=0.03, seed=3), seed=0)
    assert fair.count("R1") == 1


def test_who_stood_first_does_not_matter_to_agreement(tmp_path: Path) -> None:
    """Two raters who prefer the same episodes, one of whom saw all pairs the other way round, agree."""
    path = tmp_path / "r.jsonl"
    for number in range(6):
        a, b = rated_episode(f"{number}a", 1.0), rated_episode(f"{number}b", 0.0)
        better: tuple[Preference, Preference] = ("first", "second") if number % 2 else ("second", "first")
        named = {"time": "", "kind": "preference", "question_id": f"q{number}"}
        append(path, Rating(f"{number}x", rater="A", episodes=(a, b), preference=better[0], **named))  # type: ignore[arg-type]
        append(path, Rating(f"{number}y", rater="B", episodes=(b, a), preference=better[1], **named))  # type: ignore[arg-type]
    text = render_summary(path, seed=0).split("agreement between raters")[1]
    assert row(text, "preferences").startswith("1.00 [1.00, 1.00], 6 items")


def test_the_command_prints_it_or_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_sample_run(tmp_path / "run")
    assert cli.main(["review", str(run), "--summary"]) == 2
    assert "ratings.jsonl: no ratings yet; `medrl review RUN`" in capsys.readouterr().err
    ratings_of(run / "ratings.jsonl", questions=3)
    assert cli.main(["review", str(run), "--summary"]) == 0
    assert "r_expert, if reward.ratings names this file" in capsys.readouterr().out
    assert cli.main(["review", str(run), "--rater", "<b>"]) == 2
    assert "--rater '<b>': a rater's name is" in capsys.readouterr().err
    assert cli.main(["review", str(tmp_path / "none")]) == 2


def test_the_command_serves_the_page(tmp_path: Path) -> None:
    run = write_sample_run(tmp_path / "run")
    code = "import sys; from launch.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "review", str(run), "--port", "0", "--rater", "Dr A"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"ratings go to {run}/ratings.jsonl\n"
            address = process.stdout.readline().split(": ")[1].split()[0]
            assert address.endswith("/review")
            answer = httpx.get(address, trust_env=False)
            assert "/static/review.js" in answer.text
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        finally:
            process.kill()


def test_a_run_is_told_before_it_starts(tmp_path: Path) -> None:
    write_model(tmp_path)
    none = load_recipe("quickstart", [f"reward.ratings=[{tmp_path}/none]", f"run_dir={tmp_path}/run"])
    (said,) = [each for each in warnings(none, SHAPE) if "ratings" in each]
    assert said.startswith(f"not on this machine: reward.ratings={tmp_path}/none: no such file")
    shape = read_shape(tmp_path)
    assert row(render_plan(none, tmp_path, shape), "r_expert") == f"to be learnt from {tmp_path}/none"
    with pytest.raises(ConfigError, match="no such file; `medrl review RUN`"):
        [look() for look in knowledge_checks(none)]
    ratings_of(tmp_path / "some", questions=12)
    some = load_recipe("quickstart", [f"reward.ratings=[{tmp_path}/some]", f"run_dir={tmp_path}/run"])
    plan = render_plan(some, tmp_path, shape)
    assert row(plan, "r_expert") == "learnt from 24 preferences and 48 scores of 2 raters on 12 questions"
    assert "held-out verdicts foretold: 1.000" in plan
    assert not (tmp_path / "run").exists()  # a plan writes nothing
    rubric = render_plan(load_recipe("quickstart"), tmp_path, shape)
    assert row(rubric, "r_expert") == "the built-in rubric"
    judge = ["reward.judge.url=http://127.0.0.1:1/v1", "reward.judge.model=m"]
    assert row(render_plan(load_recipe("quickstart", judge), tmp_path, shape), "r_expert") == "m at 127.0.0.1:1"
    with pytest.raises(ConfigError, match="judge and ratings are both given"):
        load_recipe("quickstart", [*judge, f"reward.ratings=[{tmp_path}/some]"])


def test_a_plan_and_the_summary_say_the_same_of_the_same_ratings(tmp_path: Path) -> None:
    write_model(tmp_path)
    file = ratings_of(tmp_path / "some", questions=7, raters=1, flip=0.3)
    settings = [f"reward.ratings=[{file}]", f"run_dir={tmp_path}/run", "seed=5", "eval.bootstrap=77"]
    plan = render_plan(load_recipe("quickstart", settings), tmp_path, read_shape(tmp_path))
    lines = render_summary(file, seed=3).split("if reward.ratings names this file\n")[1].splitlines()
    assert lines[0] == "  learnt from 7 preferences and 14 scores of 1 rater on 7 questions"
    assert "difference" in lines[1]
    assert [line for line in map(str.strip, lines) if line not in plan] == []


def test_the_reward_actor_goes_by_what_was_learnt() -> None:
    learnt = LearntExpert((1.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, -4.0))
    config = RewardConfig(ratings=("some",))
    expert = expert_rater(config, learnt)
    assert rate(TWO_HOPS, HONEST_RIGHT, config, expert, wasteful) == Reward(1.2, 1.0, 1.0, 0.0)
    assert expert is learnt
    assert expert_rater(RewardConfig(), None) is rubric_expert
    judge = JudgeConfig(url="http://127.0.0.1:1/v1", model="m")
    assert isinstance(expert_rater(RewardConfig(judge=judge), None), ExpertJudge)


def test_a_broken_ratings_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(DataError, match=r"r.jsonl:1: id: "):
        render_summary(tmp_path / "r.jsonl", seed=0)
