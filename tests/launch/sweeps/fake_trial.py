"""In place of a run: writes what one leaves, by what its settings say it should do. `python fake_trial.py JOB CORES`.

The name of a job's setting holds its orders, with dots between: die-N (SIGKILL itself at the first N attempts), wrong
(exit code 2), broken (exit code 1 always), slow.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(job["config"]["run_dir"])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "attempts").open("a") as attempts:
        attempts.write(f"{time.time()} {sys.argv[2]} {sorted(os.sched_getaffinity(0))}\n")
    tried = len((folder / "attempts").read_text().splitlines())
    for order in job["config"]["tracking"]["tags"][0].split("."):
        if order.startswith("die-") and tried <= int(order[4]):
            print("about to die")
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        if order.startswith("broken"):
            print("medrl: engine-0 gave no reply")
            raise SystemExit(1)
        if order.startswith("wrong"):
            print("medrl: out of range")
            raise SystemExit(2)
        if order.startswith("slow"):
            time.sleep(1.5)
    effect = job["config"]["grpo"]["lr"]
    write_run(folder, job, effect)


def write_run(folder: Path, job: dict, effect: float) -> None:
    seed = job["config"]["seed"]
    rng = random.Random(seed)
    skills = [rng.uniform(0.2, 0.6) for _ in range(40)]
    noise = random.Random(f"{seed}{effect}")

    def rates(gain: float) -> list[float]:
        return [sum(noise.random() < skill + gain for _ in range(2)) / 2 for skill in skills]

    stages = {stage: {"wall_s": 1.0, "peak_rss_gb": 1.0} for stage in job["stages"]}
    for part, gain in (("base", -0.2), ("sft", 0.0), ("rl", effect)):
        if f"eval_{part}" in stages:
            sampled = None if part == "base" else rates(gain)
            greedy = [float(rate > 0.5) for rate in rates(gain)]
            stages[f"eval_{part}"] |= {"greedy": greedy, "sampled": sampled, "hops": [2] * 40, "mean_tool_calls": 3.0}
    (folder / "data").mkdir(exist_ok=True)
    ids = [{"id": f"q{seed}-{index}", "split": "heldout"} for index in range(40)]
    (folder / "data" / "questions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in ids))
    (folder / "config.yaml").write_text(json.dumps(job["config"]))
    lines = [{"stage": "grpo", "step": step, "rollout/pass_rate": 0.3 + effect * step / 4} for step in range(4)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if "eval_rl" in stages:
        summary = {
            part: {
                mode: {"pass_at_1": sum(values) / len(values)} if (values := stages[f"eval_{part}"][mode]) else None
                for mode in ("greedy", "sampled")
            }
            | {"mean_tool_calls": 3.0}
            for part in ("base", "sft", "rl")
        }
        (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "stages.json").write_text(json.dumps(stages))


if __name__ == "__main__":
    main()
