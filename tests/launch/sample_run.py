"""A run directory as a real run leaves it: plausible curves, episodes with tool output that tries to break the page."""

import json
import math
import random
from pathlib import Path
from typing import Any

from medrl.chat import render_answer, render_call
from medrl.records import write_json, write_jsonl
from medrl.state import Fact, Hypothesis, State, Status
from medrl.types import Ending, Entity, Question, Relation, Reward, Rollout, Step, ToolCall

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> & </pre></main>'
DISEASES = [
    "Marfan syndrome",
    "Fabry disease",
    "Wilson disease",
    "Noonan syndrome",
    "Alport syndrome",
    "Stickler syndrome",
]
GENES = ["FBN1", "GLA", "ATP7B", "PTPN11", "COL4A5", "COL2A1"]


def question(index: int) -> Question:
    disease, gene = DISEASES[index % 6], GENES[index % 6]
    finding = Entity(f"HP:{index:07d}", f"Finding number {index}", "phenotype")
    middle = Entity(f"OMIM:{index:06d}", disease, "disease")
    target = Entity(f"NCBIGene:{index}", gene, "gene")
    return Question(
        id=f"q{index:03d}",
        text=f"Which gene, when mutated, causes the disease that presents with finding number {index}?",
        answer=gene,
        aliases=(f"{gene} gene",),
        hops=2 + index % 3,
        specialty="cardiology",
        split="heldout",
        relations=(Relation(finding, "presents in", middle), Relation(middle, "caused by", target)),
        clues=(Relation(Entity("HP:1", f"A rash {HOSTILE}", "phenotype"), "presents in", middle),) * (index % 2),
    )


def rollout(asked: Question, *, passed: bool, calls: int) -> Rollout:
    steps = [
        Step(
            text=render_call(
                f"I look for {asked.text[:40]}", ToolCall("medical_retriever", {"query": f"finding {turn}"})
            ),
            call=ToolCall("medical_retriever", {"query": f"finding {turn}"}),
            observation=(f"[1] A short note. {HOSTILE}" if turn else "[1] " + "A long document about findings. " * 20),
            status="ok" if turn != 1 else "mistake",
            sources=(f"omim:{turn}",),
        )
        for turn in range(calls)
    ]
    answer = asked.answer if passed else "BRCA2"
    steps.append(Step(render_answer("The documents agree.", answer), None, "", "answer"))
    task, expert, efficiency = float(passed), 0.6, 0.1 * calls
    return Rollout(
        question_id=asked.id,
        sample=0,
        token_ids=list(range(50)),
        action_mask=[False] * 25 + [True] * 25,
        logprobs=[0.0] * 25 + [-0.5] * 25,
        versions=[-1] * 25 + [3] * 25,
        steps=steps,
        ending=Ending.ANSWERED,
        answer=answer,
        reward=Reward(task + 0.2 * expert - 0.1 * efficiency, task, expert, efficiency),
        state=State(
            (Fact(f"Sign {HOSTILE}", "seen in", asked.entities[1].name, "hp:1", 1),),
            (Hypothesis(answer, Status.CONFIRMED, f"the answer, shown at turn 1 {HOSTILE}", 2, 0.825),),
            ((f"Sign {HOSTILE}", answer),),
        ),
    )


def write_sample_run(path: Path, *, num_questions: int = 24, seed: int = 0) -> Path:
    """SFT passes every third question, RL every second; so all four kinds of change occur."""
    rng = random.Random(seed)
    questions = [question(index) for index in range(num_questions)]
    write_jsonl(path / "data" / "questions.jsonl", questions)
    for part, every in (("sft", 3), ("rl", 2)):
        episodes = [
            rollout(each, passed=index % every == 0, calls=1 + index % 4) for index, each in enumerate(questions)
        ]
        write_jsonl(path / "trajectories" / f"{part}.jsonl", episodes)
    lines = [*_sft_lines(rng), *_grpo_lines(rng)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    write_json(path / "summary.json", summary())
    return path


def _sft_lines(rng: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "stage": "sft",
            "step": step,
            "time": 1.0,
            "sft/loss": 0.3 + 1.9 * math.exp(-step / 9) + rng.gauss(0, 0.03),
            "sft/lr": 3e-4,
        }
        for step in range(60)
    ]


def _grpo_lines(rng: random.Random) -> list[dict[str, Any]]:
    lines = []
    for step in range(20):
        passed = min(1.0, 0.3 + 0.018 * step + rng.gauss(0, 0.04))
        efficiency = 0.4 - 0.012 * step
        shares = [0.5 - 0.015 * step, 0.3, 0.2 + 0.015 * step]
        lines.append(
            {
                "stage": "grpo",
                "step": step,
                "time": 2.0,
                "reward/total/mean": passed + 0.1 - 0.1 * efficiency,
                "reward/task/mean": passed,
                "reward/expert/mean": 0.5 + 0.01 * step,
                "reward/efficiency/mean": efficiency,
                "rollout/pass_rate": passed,
                "rollout/answered": min(1.0, 0.7 + 0.015 * step),
                "rollout/turns": 4.6 - 0.04 * step,
                "rollout/tool_calls": 3.7 - 0.04 * step,
                "rollout/constant_groups": 0.5 + rng.gauss(0, 0.08),
                "actor/entropy": 0.6 - 0.01 * step,
                "actor/grad_norm": None if step == 7 else abs(rng.gauss(1, 0.3)),
                "rollout_corr/logp_diff_mean": 0.004 + rng.gauss(0, 0.001),
                **{f"curriculum/share/{hops}": share for hops, share in zip((2, 3, 4), shares, strict=True)},
                **{f"curriculum/pass_rate/{hops}": passed / (hops - 1) for hops in (2, 3, 4)},
                "timing_s/wait": 22 + rng.gauss(0, 2),
                "timing_s/checkpoint": 0.4,
                "timing_s/learn": 9 + rng.gauss(0, 1),
                "timing_s/sync": 1.1,
            }
        )
    return lines


def summary() -> dict[str, Any]:
    def entry(greedy: float, sampled: float | None, calls: float) -> dict[str, Any]:
        def share(value: float) -> dict[str, Any]:
            return {"pass_at_1": value, "ci95": [max(0.0, value - 0.07), value + 0.07]}

        return {
            "greedy": share(greedy),
            "sampled": None if sampled is None else share(sampled),
            "mean_tool_calls": calls,
            "n": 160,
        }

    return {
        "base": entry(0.0, None, 0.1),
        "sft": entry(0.594, 0.346, 3.71),
        "rl": entry(0.7, 0.654, 3.02),
        "rl_minus_sft": {
            "greedy": {"mean": 0.106, "ci95": [0.031, 0.181]},
            "sampled": {"mean": 0.308, "ci95": [0.24, 0.375]},
        },
        "wall_s": {"knowledge": 31.2, "data": 58.0, "eval_base": 61.0, "sft": 401.3, "grpo": 690.0, "report": 1.1},
        "peak_rss_gb": 9.83,
        "counts": {
            "train_questions": 1200,
            "heldout_questions": 160,
            "sft_trajectories": 480,
            "rl_steps": 20,
            "rl_trajectories": 1600,
        },
    }
