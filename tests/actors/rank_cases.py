"""Cases of learner calls, as one rank makes them in the process that `ranks` gives it.

spec.json in a folder has model, world_size, and cases of {config, calls, padded, split}; the folder gets one JSON file
a case and rank, and from rank 0 the gradients that AdamW saw at its first step, by parameter name.
"""

import json
from pathlib import Path
from typing import Any

from deepspeed.utils import safe_get_full_optimizer_state
from safetensors.torch import save_file

from actors.deepspeed_learner import Learner
from actors.rendezvous import Rendezvous
from medrl.config import parse
from medrl.packing import TrainSample, shards

BETA1 = 0.9


def gradients(learner: Learner) -> dict[str, Any]:
    """After the first AdamW step exp_avg is (1 − β1) times the gradient."""
    trained = [(name, p) for name, p in learner._policy.named_parameters() if p.requires_grad]
    return {name: safe_get_full_optimizer_state(p, "exp_avg").clone() / (1 - BETA1) for name, p in trained}


def pad(learner: Learner) -> None:
    """Compute as on a GPU: rows of one length, torch's attention under a mask."""
    learner._policy.ragged = False
    learner._policy.model.set_attn_implementation("sdpa")


def call(learner: Learner, share: int, shares: int, name: str, arguments: dict[str, Any], out: Path) -> Any:
    if "samples" in arguments:
        samples = [TrainSample(**sample) for sample in arguments["samples"]]
        part = shards(samples, shares)[share]
        arguments = arguments | {"samples": [samples[i] for i in part]}
        for rows in arguments.keys() & {"old_logprobs", "ref_logprobs"}:
            arguments[rows] = [arguments[rows][i] for i in part]
        if name in ("logprobs", "reference_logprobs"):
            return dict(zip(map(str, part), getattr(learner, name)(**arguments), strict=True))
        if name == "update":
            stats, logprobs = learner.update(**arguments)
            return stats | {"logprobs": dict(zip(map(str, part), logprobs, strict=True))}
    if name == "gradients":
        found = gradients(learner)
        if learner._rank == 0:
            save_file(found, out.with_suffix(".safetensors"))
        return None
    arguments = {key: Path(value) if key == "folder" else value for key, value in arguments.items()}
    result = getattr(learner, name)(**arguments)
    return str(result.path) if name == "export_weights" and result else result


def run(folder: Path, rank: int) -> None:
    """What `folder`/spec.json says, as that rank."""
    spec = json.loads((folder / "spec.json").read_text())
    for index, case in enumerate(spec["cases"]):
        config = parse(case["config"], "the test")
        split = case.get("split", 1)
        if split > 1:  # refused on CPU, where there is nothing to win; gloo can do it all the same
            learner = config.learner.model_copy(update={"sequence_parallel": split})
            config = config.model_copy(update={"learner": learner})
        learner = Learner(config, Path(spec["model"]), Rendezvous(folder / "rendezvous", rank, spec["world_size"]))
        if case.get("padded"):
            pad(learner)
        results = [
            call(learner, rank // split, spec["world_size"] // split, name, arguments, folder / f"{index}")
            for name, arguments in case["calls"]
        ]
        (folder / f"{index}-rank{rank}.json").write_text(json.dumps(results))
    learner.close()
