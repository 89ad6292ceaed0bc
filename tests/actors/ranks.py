"""Start `rank_main.py` once for each rank, and read what they wrote."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

Case = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """`calls[rank][i]`: what call i returned on that rank. `gradients`: if the case asked for them."""

    calls: list[list[Any]]
    gradients: dict[str, torch.Tensor]


def run_ranks(
    folder: Path, model: Path, cases: list[Case], world_size: int, timeout_s: float = 240
) -> list[CaseResult]:
    """All cases, one after the other, in the same `world_size` processes."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = {"model": str(model), "world_size": world_size, "cases": cases}
    (folder / "spec.json").write_text(json.dumps(spec))
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    script = [sys.executable, str(root / "tests/actors/rank_main.py"), str(folder / "spec.json")]
    processes = []
    for rank in range(world_size):
        log = (folder / f"rank{rank}.log").open("w")
        processes.append(
            subprocess.Popen([*script, str(rank), str(folder)], env=environment, stdout=log, stderr=log, cwd=root)
        )
        log.close()
    try:
        for rank, process in enumerate(processes):
            code = process.wait(timeout_s)
            assert code == 0, f"rank {rank} ended with {code}:\n{(folder / f'rank{rank}.log').read_text()[-3000:]}"
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [_read(folder, index, world_size) for index in range(len(cases))]


def _read(folder: Path, index: int, world_size: int) -> CaseResult:
    calls = [json.loads((folder / f"{index}-rank{rank}.json").read_text()) for rank in range(world_size)]
    file = folder / f"{index}.safetensors"
    return CaseResult(calls, load_file(file) if file.exists() else {})
