"""Processes that are ranks of a learner, as Ray actors would be, without Ray: each runs `rank_cases.run`."""

import json
import multiprocessing
import os
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

Case = dict[str, Any]
_FORKED = multiprocessing.get_context("forkserver")  # torch and deepspeed are imported once, not by every rank


@dataclass(frozen=True, slots=True)
class CaseResult:
    """`calls[rank][i]`: what call i returned on that rank. `gradients`: if the case asked for them."""

    calls: list[list[Any]]
    gradients: dict[str, torch.Tensor]


def run_ranks(
    folder: Path, model: Path, cases: list[Case], world_size: int, timeout_s: float = 240
) -> list[CaseResult]:
    """All cases, one after the other, in the same `world_size` processes."""
    _serve()
    folder.mkdir(parents=True, exist_ok=True)
    spec = {"model": str(model), "world_size": world_size, "cases": cases}
    (folder / "spec.json").write_text(json.dumps(spec))
    processes = [_FORKED.Process(target=_rank, args=(folder, rank), daemon=True) for rank in range(world_size)]
    try:
        for process in processes:
            process.start()
        for rank, process in enumerate(processes):
            process.join(timeout_s)
            told = (folder / f"rank{rank}.log").read_text()[-3000:]
            assert process.exitcode == 0, f"rank {rank} ended with {process.exitcode}:\n{told}"
    finally:
        for process in processes:
            process.kill()
            process.join()
    return [_read(folder, index, world_size) for index in range(len(cases))]


def _serve() -> None:
    """Start the process that ranks are forked from, unless it runs."""
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    _FORKED.set_forkserver_preload(["tests.actors.rank_cases"])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        forkserver.ensure_running()


def _rank(folder: Path, rank: int) -> None:
    log = os.open(folder / f"rank{rank}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    from tests.actors.rank_cases import run

    run(folder, rank)


def _read(folder: Path, index: int, world_size: int) -> CaseResult:
    calls = [json.loads((folder / f"{index}-rank{rank}.json").read_text()) for rank in range(world_size)]
    file = folder / f"{index}.safetensors"
    return CaseResult(calls, load_file(file) if file.exists() else {})
