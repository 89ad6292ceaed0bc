"""A run as it looks while it trains: the sample run, and the groups of its GRPO steps, with real tokens."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from launch.recipe import load_recipe
from medrl.records import to_jsonl, write_json, write_jsonl, write_text
from medrl.types import Question, Rollout
from tests.launch.sample_run import question, rollout, write_sample_run

GROUP_SIZE = 4


def byte_tokenizer() -> Tokenizer:
    """One token a byte, so that letters past ASCII are made of several."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def with_tokens(episode: Rollout, asked: Question, tokenizer: Tokenizer, rng: random.Random, version: int) -> Rollout:
    """The episode with the tokens of its texts: the question, then turns (sampled) and observations."""
    pieces = [(asked.text, False)]
    for step in episode.steps:
        pieces += [(step.text, True), (step.observation, False)]
    ids, mask = [], []
    for text, acted in pieces:
        encoded = tokenizer.encode(text).ids
        ids += encoded
        mask += [acted] * len(encoded)
    logprobs = [round(-rng.expovariate(2.0), 6) if acted else 0.0 for acted in mask]
    versions = [version if acted else -1 for acted in mask]
    return replace(episode, token_ids=ids, action_mask=mask, logprobs=logprobs, versions=versions)


def groups_of(step: int, count: int = 6) -> Iterator[Rollout]:
    """The episodes of one step, by group: of the i-th group's four, i mod 5 are correct."""
    rng, tokenizer = random.Random(step), byte_tokenizer()
    for index in range(count):
        asked = question((step * count + index) % 24)
        for sample in range(GROUP_SIZE):
            played = rollout(asked, passed=sample < index % 5, calls=1 + (index + sample) % 4)
            yield replace(with_tokens(played, asked, tokenizer, rng, step), sample=sample)


def write_step(run: Path, step: int) -> None:
    """The trajectories of a step, as the trainer writes them, and what the learner made of the even ones."""
    episodes = list(groups_of(step))
    write_jsonl(run / "trajectories" / f"grpo-{step:04d}.jsonl", episodes)
    if step % 2 == 0:
        _write_learnt(run, step, episodes)


def write_long_group(run: Path, step: int, num_tokens: int, size: int) -> list[Rollout]:
    """A step of one group, of question q000: prompt, then turns of the policy and of tools, 640 tokens each. A token is
    a word, as in a model's vocabulary."""
    words = [
        f" {word}" for word in "the patient has a finding of which gene heart valve seen in three families".split()
    ]
    tokenizer, rng, asked = byte_tokenizer(), random.Random(step), question(0)
    tokenizer.add_tokens([*words, ".\n"])
    tokenizer.save(str(run / "checkpoints" / "sft" / "tokenizer.json"))
    ids = [tokenizer.token_to_id(word) for word in [*words, ".\n"]]
    mask = [place // 640 % 2 == 1 for place in range(num_tokens)]
    episodes = [
        replace(
            rollout(asked, passed=sample % 2 == 0, calls=3),
            sample=sample,
            token_ids=rng.choices(ids, k=num_tokens),
            action_mask=mask,
            logprobs=[round(-rng.expovariate(2.0), 6) if acted else 0.0 for acted in mask],
            versions=[step if acted else -1 for acted in mask],
        )
        for sample in range(size)
    ]
    write_jsonl(run / "trajectories" / f"grpo-{step:04d}.jsonl", episodes)
    _write_learnt(run, step, episodes)
    return episodes


def _write_learnt(run: Path, step: int, episodes: Sequence[Rollout]) -> None:
    rng = random.Random(step)
    learnt = [
        {
            "question_id": episode.question_id,
            "sample": episode.sample,
            "advantage": 0.25 * (episode.sample - 1.5),
            "logprobs": [
                value + rng.gauss(0, 0.15)
                for value, acted in zip(episode.logprobs, episode.action_mask, strict=True)
                if acted
            ],
        }
        for episode in episodes
    ]
    write_text(run / "trajectories" / f"grpo-{step:04d}.tokens.jsonl", "".join(json.dumps(x) + "\n" for x in learnt))


def log_step(run: Path, step: int, passed: float) -> None:
    """One more line of metrics."""
    line = {
        "stage": "grpo",
        "step": step,
        "time": 100.0 + step,
        "rollout/pass_rate": passed,
        "reward/total/mean": passed,
    }
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def write_live_run(path: Path, steps: int = 3) -> Path:
    """The sample run with a configuration, a tokenizer, `steps` steps, and the health of its actors."""
    write_sample_run(path)
    config = load_recipe("quickstart", [f"run_dir={path}", "grpo.steps=40", "grpo.ratio=coupled"])
    write_text(path / "config.yaml", config.to_yaml())
    write_json(path / "stages.json", {"knowledge": {"wall_s": 3.0}, "sft": {"wall_s": 60.0}})
    (path / "checkpoints" / "sft").mkdir(parents=True)
    byte_tokenizer().save(str(path / "checkpoints" / "sft" / "tokenizer.json"))
    for step in range(steps):
        write_step(path, step)
    return path


def append_line(path: Path, episode: Rollout) -> None:
    """One more episode at the end of a file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(to_jsonl([episode]))
