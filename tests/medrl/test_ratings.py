"""The ratings' file: what it refuses, what counts, and what it says of pairs."""

import json
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from medrl.errors import ConfigError, DataError
from medrl.experts import described, learn, settled
from medrl.judge import Preference
from medrl.preferences import FEATURE_VERSION, FEATURES, PRIOR, features
from medrl.ratings import RatedEpisode, Rating, append, check_rater, comparisons, digest, read_ratings, standing
from medrl.sections.episodes import RewardConfig
from tests.medrl.episodes import TWO_HOPS, episode, final, rewarded
from tests.medrl.test_gaming import HONEST_RIGHT, HONEST_WRONG, LUCKY

GUESS = LUCKY["a guess"]


def rated(rollout, **said: object) -> RatedEpisode:  # type: ignore[no-untyped-def]
    found = dict(zip(FEATURES, features(TWO_HOPS, rollout).tolist(), strict=True))
    return RatedEpisode("rl", 0, digest(rollout), found, 1.0, **said)  # type: ignore[arg-type]


RIGHT, WRONG, LUCK = rated(HONEST_RIGHT), rated(HONEST_WRONG), rated(GUESS)


def prefers(
    preference: Preference, *episodes: RatedEpisode, line: str = "a", rater: str = "A", question: str = "q2"
) -> Rating:
    return Rating(line, "2026-11-26T09:00:00+00:00", rater, "preference", question, episodes, preference=preference)


def scores(score: int, episode: RatedEpisode, *, line: str = "a", rater: str = "A", question: str = "q2") -> Rating:
    return Rating(line, "2026-11-26T09:00:00+00:00", rater, "rating", question, (episode,), score)


def undoes(line: str, rater: str = "A") -> Rating:
    return Rating(f"not {line}", "2026-11-26T09:00:01+00:00", rater, "undo", undoes=line)


def test_lines_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    lines = [
        replace(prefers("first", RIGHT, WRONG), comment="ja – «gut»\nin two lines"),
        scores(0, replace(LUCK, criteria={"supported": False, "safety_concern": True}, reward=None)),
        undoes("a"),
    ]
    path = tmp_path / "new" / "ratings.jsonl"
    for line in lines:
        append(path, line)
    assert read_ratings(path) == lines
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3
    assert read_ratings(tmp_path / "none.jsonl") == []


def test_what_a_crash_left_of_a_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "ratings.jsonl"
    append(path, prefers("first", RIGHT, WRONG))
    with path.open("ab") as file:
        file.write(b'{"id":"b","time"')
    assert len(read_ratings(path)) == 1
    append(path, prefers("second", RIGHT, WRONG, line="c"))
    assert [each.id for each in read_ratings(path)] == ["a", "c"]


def _write(path: Path, rater: str) -> None:
    for number in range(50):
        append(path, prefers("tie", RIGHT, WRONG, line=f"{rater}{number}", rater=rater))


def test_two_processes_may_append_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ratings.jsonl"
    context = get_context("spawn")
    writers = [context.Process(target=_write, args=(path, rater)) for rater in "AB"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    ids = [each.id for each in read_ratings(path)]
    assert [each for each in ids if each[0] == "A"] == [f"A{n}" for n in range(50)]
    assert [each for each in ids if each[0] == "B"] == [f"B{n}" for n in range(50)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"score": None}, "a rating has one episode and a score from 0 to 10"),
        ({"score": 11}, "a rating has one episode and a score from 0 to 10"),
        ({"kind": "preference"}, "two different episodes"),
        ({"kind": "undo"}, "names the line that it undoes"),
        ({"kind": "opinion"}, "kind: "),
        ({"rater": "../x"}, "rater's name"),
        ({"rater": ""}, "rater's name"),
        ({"comment": "x" * 4001}, "4,001 characters"),
        ({"episodes": [{"part": "rl", "sample": 0, "digest": "d", "features": {"length": 1.0}}]}, "features must be"),
        ({"episodes": [{"part": "rl", "sample": 0, "digest": "d", "features": {"cited": 2.0}}]}, r"outside \[0, 1\]"),
    ],
)
def test_a_line_that_is_not_whole_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "ratings.jsonl"
    append(path, scores(3, RIGHT))
    line = json.loads(path.read_text()) | change
    path.write_text(path.read_text() + json.dumps(line) + "\n")
    with pytest.raises(DataError, match=rf"ratings.jsonl:2: .*{said}"):
        read_ratings(path)


def test_the_same_pair_twice_is_no_pair() -> None:
    with pytest.raises(ValueError, match="two different"):
        prefers("first", RIGHT, RIGHT)


def test_raters_are_pseudonyms_of_plain_letters() -> None:
    assert check_rater("Dr. Ünal-2") == "Dr. Ünal-2"
    for name in (" a", "a\n", "<b>", "x" * 41, "-"):
        with pytest.raises(ValueError, match="1 to 40"):
            check_rater(name)


def test_the_last_word_of_a_rater_on_an_item_counts() -> None:
    first, turned = prefers("first", RIGHT, WRONG, line="1"), prefers("first", WRONG, RIGHT, line="2")
    other, score = prefers("second", RIGHT, WRONG, line="3", rater="B"), scores(4, RIGHT, line="4")
    assert standing([first, other, score]) == [first, other, score]
    assert standing([first, turned]) == [turned]  # the same two, whichever stood first
    assert standing([first, other, undoes("1")]) == [other]
    assert standing([first, undoes("1"), turned]) == [turned]
    assert standing([first, turned, undoes("2")]) == []  # and not what it replaced
    assert standing([other, undoes("3")]) == [other]  # nobody takes back another's


def test_the_digest_is_of_what_is_read() -> None:
    assert digest(HONEST_RIGHT) == digest(rewarded(replace(HONEST_RIGHT, token_ids=[1], duration_s=9.0, sample=3), 1.0))
    others = [HONEST_WRONG, *LUCKY.values(), replace(HONEST_RIGHT, answer="x"), replace(HONEST_RIGHT, question_id="y")]
    assert len({digest(each) for each in (HONEST_RIGHT, *others)}) == len(others) + 1


def test_comparisons_by_hand() -> None:
    ratings = [
        prefers("second", WRONG, RIGHT),
        scores(9, RIGHT),
        scores(2, LUCK),
        scores(2, WRONG),
        scores(5, WRONG, rater="B"),
        scores(1, RIGHT, question="q9"),
    ]
    found = [(each.outcome, each.weight, each.first.tolist(), each.second.tolist()) for each in comparisons(ratings)]
    right, wrong, luck = (each.vector.tolist() for each in (RIGHT, WRONG, LUCK))
    assert found == [
        (0.0, 1.0, wrong, right),
        (1.0, 0.5, right, luck),
        (1.0, 0.5, right, wrong),
        (0.5, 0.5, luck, wrong),
    ]
    assert comparisons([replace(ratings[0], feature_version=FEATURE_VERSION + 1)]) == []


def test_features_that_were_kept_are_those_of_the_episode() -> None:
    for rollout in (HONEST_RIGHT, HONEST_WRONG, *LUCKY.values()):
        assert np.array_equal(rated(rollout).vector, features(TWO_HOPS, rollout))


def write(path: Path, *lines: Rating) -> Path:
    for line in lines:
        append(path, line)
    return path


def test_what_teaches_nothing_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none: no such file; `medrl review RUN`"):
        learn([tmp_path / "none"], seed=0, resamples=10)
    alone = write(tmp_path / "alone", scores(3, RIGHT))
    with pytest.raises(ConfigError, match=r"no two episodes of a question are compared \(1 ratings, 0 of them"):
        learn([alone], seed=0, resamples=10)
    old = write(tmp_path / "old", replace(prefers("first", RIGHT, WRONG), feature_version=FEATURE_VERSION + 1))
    with pytest.raises(ConfigError, match=r"\(1 ratings, 1 of them of episodes described by other rules\)"):
        learn([old], seed=0, resamples=10)
    undone = write(tmp_path / "undone", prefers("first", RIGHT, WRONG), undoes("a"))
    with pytest.raises(ConfigError, match=r"\(0 ratings"):
        learn([undone], seed=0, resamples=10)


def test_several_files_are_learnt_from_together(tmp_path: Path) -> None:
    one = write(tmp_path / "one", prefers("first", RIGHT, LUCK), undoes("nothing"))
    two = write(tmp_path / "two", prefers("second", LUCK, RIGHT, rater="B", question="q9"), scores(1, RIGHT))
    learnt = learn([one, two], seed=0, resamples=50)
    assert (learnt.preferences, learnt.ratings, learnt.raters, learnt.questions) == (2, 1, 2, 2)
    assert learnt.held_out is not None and learnt.held_out.learnt == (1.0, 1.0, 1.0)
    assert learnt.expert.weights[0] > PRIOR[0]
    text = "\n".join(described(learnt))
    assert "learnt from 2 preferences and 1 score of 2 raters on 2 questions" in text
    assert "foretold: 1.000 [1.000, 1.000], the built-in rubric 1.000" in text


def test_a_run_keeps_the_expert_that_it_began_with(tmp_path: Path) -> None:
    from medrl.config import parse

    path = write(tmp_path / "ratings.jsonl", prefers("first", RIGHT, LUCK))
    config = parse({"name": "t", "run_dir": str(tmp_path / "run"), "reward": {"ratings": [str(path)]}}, "test")
    first = settled(config)
    assert first is not None and first.expert.weights[0] > PRIOR[0]
    for number in range(50):
        append(path, prefers("second", RIGHT, LUCK, line=f"x{number}", rater=f"R{number}"))
    assert settled(config) == first
    (tmp_path / "run" / "expert.json").unlink()
    again = settled(config)
    assert again is not None and again.expert.weights[0] < PRIOR[0]
    (tmp_path / "run" / "expert.json").write_text("{}")
    with pytest.raises(DataError, match=r"expert.json: .*delete it, and it is fitted again"):
        settled(config)
    assert settled(parse({"name": "t"}, "test")) is None


def test_one_expert_at_a_time() -> None:
    judge = {"url": "http://127.0.0.1:1/v1", "model": "m"}
    with pytest.raises(ValueError, match="judge and ratings are both given"):
        RewardConfig.model_validate({"judge": judge, "ratings": ["x"]})


def test_an_answer_that_holds_half_a_character_can_be_rated(tmp_path: Path) -> None:
    rollout = episode(final("FBN1 \ud800"))
    assert digest(rollout) != digest(episode(final("FBN1 ")))
