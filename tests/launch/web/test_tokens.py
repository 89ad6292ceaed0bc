import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch.web.tokens import Learnt, TokenTexts, advantages, read_learnt, token_view
from medrl.errors import ConfigError, DataError
from medrl.sections.learning import GRPOConfig
from tests.launch.sample_run import question, rollout
from tests.launch.web.live_run import byte_tokenizer, groups_of, write_step


@given(st.text(max_size=40))
def test_the_texts_of_tokens_join_up(text: str) -> None:
    """One token a byte: letters of several bytes stand at their first token, none is lost or broken."""
    tokenizer = byte_tokenizer()
    texts = TokenTexts(Path("/nowhere"))
    texts._tokenizer = tokenizer
    ids = tokenizer.encode(text).ids
    found = texts.of(ids, None)
    assert len(found) == len(ids)
    assert "".join(found) == text


def test_without_a_tokenizer_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither checkpoints/sft nor a config"):
        TokenTexts(tmp_path).of([1, 2], None)


def test_the_learner_s_log_probs_are_found_by_question_and_sample(tmp_path: Path) -> None:
    write_step(tmp_path, 0)
    path = tmp_path / "trajectories" / "grpo-0000.tokens.jsonl"
    episodes = list(groups_of(0))
    for episode in episodes[5:9]:
        learnt = read_learnt(path, episode.question_id, episode.sample)
        assert learnt is not None
        assert learnt.advantage == 0.25 * (episode.sample - 1.5)
        assert len(learnt.logprobs) == sum(episode.action_mask)
    assert read_learnt(path, "q00", 0) is None
    assert read_learnt(path, "q000", 99) is None
    assert read_learnt(tmp_path / "none", "q000", 0) is None


def test_half_a_line_is_no_line_and_a_broken_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.tokens.jsonl"
    line = json.dumps({"question_id": "q1", "sample": 0, "advantage": 0.5, "logprobs": [-1.0]})
    path.write_text(line)
    assert read_learnt(path, "q1", 0) is None
    path.write_text('{"question_id": "q1", "sample": 0}\n')
    with pytest.raises(DataError, match="advantage"):
        read_learnt(path, "q1", 0)


def test_ratio_token_by_token(tmp_path: Path) -> None:
    write_step(tmp_path, 0)
    episode = next(groups_of(0))
    learnt = read_learnt(tmp_path / "trajectories" / "grpo-0000.tokens.jsonl", episode.question_id, episode.sample)
    assert learnt is not None
    view = token_view(episode, learnt)
    at = 0
    for place, acted in enumerate(episode.action_mask):
        if acted:
            assert view["learner"][place] == learnt.logprobs[at]
            assert view["sampler"][place] == episode.logprobs[place]
            assert view["ratio"][place] == pytest.approx(
                math.exp(learnt.logprobs[at]) / math.exp(episode.logprobs[place]), rel=1e-9
            )
            at += 1
        else:
            assert view["learner"][place] is view["ratio"][place] is view["sampler"][place] is None
    assert at == len(learnt.logprobs) > 0


def test_log_probs_of_other_tokens_are_refused() -> None:
    episode = next(groups_of(0))
    view = token_view(episode, None)
    assert view["ratio"] is None and view["mask"] == episode.action_mask
    with pytest.raises(DataError, match="2 log-probs of the learner for"):
        token_view(episode, Learnt(episode.question_id, episode.sample, 0.1, [-1.0, -2.0]))


def test_advantages_are_rewards_less_their_mean() -> None:
    played = [rollout(question(0), passed=passed, calls=1) for passed in (True, False, False, True)]
    unscored = replace(played[0], reward=None)
    found = advantages([*played, unscored], GRPOConfig())
    rewards = [each.reward.total for each in played if each.reward is not None]
    mean = sum(rewards) / 4
    assert found[:4] == pytest.approx([reward - mean for reward in rewards])
    assert found[4] is None
    assert advantages([unscored], GRPOConfig()) == [None]
    assert advantages(played[:1], GRPOConfig()) == [0.0]
