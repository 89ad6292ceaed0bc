"""The whole pipeline on a random tiny model and a made-up ontology: every stage and every kind of actor."""

import json
import re
from itertools import compress
from pathlib import Path
from statistics import fmean

import pytest
import torch
from safetensors.torch import load_file

from envs.tools.selector import CLASSES, Selector
from launch import pipeline, stages
from launch.trajectories import LearntEpisode
from medrl.config import Config, parse
from medrl.metrics import GLOSSARY
from medrl.records import read_jsonl
from medrl.types import Rollout
from tests.kisa import ontology
from tests.tiny import save_tiny

DISEASES = 40


def write_ontology(folder: Path, diseases: int = DISEASES) -> Path:
    """So many diseases, each with one gene and three signs of its own, in two organ systems."""
    folder.mkdir(parents=True)
    terms = {key: value for key, value in ontology.TERMS.items() if not key.startswith("HP:1")}
    rows, links = [], []
    for number in range(diseases):
        disease, name = f"OMIM:{number + 1}", f"Disease {number + 1}"
        for sign in range(3):
            term = f"HP:1{number:03d}{sign:03d}"
            terms[term] = (f"Sign {number + 1}{'abc'[sign]}", [("HP:0000478", "HP:0001626")[sign % 2]], "")
            row = (disease, name, "", term, f"PMID:{number + 1}", "PCS", "", "", "", "P", "HPO:x[2020-01-01]")
            rows.append(row)
        links.append((str(number + 1), f"GEN{number + 1}", disease))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ontology, "TERMS", terms)
        patch.setattr(ontology, "ROWS", rows)
        patch.setattr(ontology, "LINKS", links)
        return ontology.write_ontology(folder)


def config(folder: Path, diseases: int = DISEASES) -> Config:
    """Small everywhere; limits in tokens are wide, since a token of the tiny model is a byte."""
    values = {
        "name": "tiny",
        "run_dir": str(folder / "run"),
        "model": {"path": str(save_tiny(folder / "model")), "dtype": "float32", "max_length": 2048},
        "knowledge": {"ontology": str(write_ontology(folder / "ontology", diseases)), "cache": str(folder / "cache")},
        "kisa": {
            "train_questions": 16,
            "heldout_questions": 3,
            "max_hops": 2,
            "rare_percentile": 100,
            "heldout_fraction": 0.25,
            "differential_fraction": 0.0,
            "lay_fraction": 0.0,
            "refuse_one_search": False,  # two hops in so small a corpus are two lines of one search
        },
        "env": {"max_turns": 3, "max_turn_tokens": 220, "observation_tokens": 300},
        "sft": {"updates": 40, "batch_trajectories": 4, "lr": 5e-3},
        "reward": {"irrelevant_below": 0.05},  # so that episodes are played with the choice of tools fitted to the data
        "grpo": {"steps": 2, "groups_per_step": 2, "group_size": 4, "lr": 1e-3, "skip_constant_groups": False},
        "eval": {"questions": 3, "samples": 1, "bootstrap": 100},
        "pool": {"kv_cache_gb": 0.2, "max_sequences": 16},
        "tracking": {"wandb": False},
    }
    return parse(values, "test")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_stage_leaves_what_the_next_one_needs(tmp_path: Path) -> None:
    settings = config(tmp_path)
    run = pipeline.run(settings, stages.QUICKSTART).path

    summary = json.loads((run / "summary.json").read_text())
    assert summary["base"]["n"] == summary["rl"]["n"] == 3
    assert summary["counts"] == {
        "train_questions": 16,
        "heldout_questions": 3,
        "sft_trajectories": 16,
        "rl_steps": 2,
        "rl_trajectories": 16,
    }
    assert summary["peak_rss_gb"] > 0.5 and set(summary["wall_s"]) == set(stages.QUICKSTART) - {"report"}

    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [line["sft/loss"] for line in lines if line["stage"] == "sft"]
    assert len(losses) == 40 and losses[-1] < 0.5 * losses[0]
    steps = [line for line in lines if line["stage"] == "grpo"]
    assert [line["step"] for line in steps] == [0, 1]
    assert all(line["rollout_corr/logp_diff_mean"] < 1e-3 for line in steps)  # float32 on both sides

    known = {re.sub(r"tools/\w+", "tools/<name>", re.sub(r"/\d+$", "/<hops>", key)) for line in lines for key in line}
    assert known - {"stage", "step", "time"} <= GLOSSARY.keys()

    for step in (0, 1):  # every sampled token names the policy that sampled it, and no other token does
        rollouts = list(read_jsonl(run / "trajectories" / f"grpo-{step:04d}.jsonl", Rollout))
        assert len(rollouts) == 8
        for rollout in rollouts:
            sampled = {version for version, acted in zip(rollout.versions, rollout.action_mask, strict=True) if acted}
            assert sampled == {step}
            assert rollout.reward is not None
            assert all(step.choice is not None for step in rollout.steps if step.call and step.call.name in CLASSES)
        learnt = list(read_jsonl(run / "trajectories" / f"grpo-{step:04d}.tokens.jsonl", LearntEpisode))
        assert [(each.question_id, each.sample) for each in learnt] == [(r.question_id, r.sample) for r in rollouts]
        for episode, rollout in zip(learnt, rollouts, strict=True):
            sampler = list(compress(rollout.logprobs, rollout.action_mask))
            assert len(episode.logprobs) == len(sampler)
            assert fmean(abs(a - b) for a, b in zip(episode.logprobs, sampler, strict=True)) < 2e-3
        shares = [steps[step][key] for key in ("perf/worker_busy", "perf/learner_idle")]
        # A step of a second or two may end before the engines have told anew.
        shares += [steps[step]["perf/engine_busy"]] if "perf/engine_busy" in steps[step] else []
        assert all(0.0 < share < 1.0 for share in shares)
        assert steps[step]["perf/worker_episodes"] > steps[step]["perf/worker_busy"]
    health = json.loads((run / "health.json").read_text())
    assert health["ended"] and {each["state"] for each in health["actors"]} == {"stopped"}
    history = [json.loads(line) for line in (run / "health.jsonl").read_text().splitlines()]
    engines = [line["actors"]["engine-0"] for line in history if "engine-0" in line["actors"]]
    assert any(each["state"] == "alive" and each["rss_gb"] > 0.1 for each in engines)
    assert Selector.load(run / "data" / "tool_choice.json").decisions == 16 * 3  # two calls and an answer each
    assert all(each.state.facts for each in read_jsonl(run / "data" / "trajectories.jsonl", Rollout))

    base, sft = (load_file(path / "model.safetensors") for path in (tmp_path / "model", run / "checkpoints" / "sft"))
    assert any(not torch.equal(base[name], sft[name]) for name in base)
    assert (run / "report.html").stat().st_size > 10_000 and (run / "checkpoints" / "rl" / "config.json").exists()

    before = (run / "metrics.jsonl").read_bytes()
    pipeline.run(settings, stages.QUICKSTART)  # finished work is not done again
    assert (run / "metrics.jsonl").read_bytes() == before
