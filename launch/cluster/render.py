"""Fill the templates of this folder with what a recipe's plan needs."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from string import Template

import yaml

from actors.placement import described_nodes
from actors.seats import seats
from medrl.config import Config

TEMPLATES = {"slurm": "slurm.sh", "kubernetes": "rayjob.yaml", "ray-job": "ray-job.sh"}
_FOLDER = Path(__file__).parent


def render(kind: str, config: Config, recipe: str, settings: Sequence[str]) -> str:
    """The file for a cluster of `kind`. `recipe` and `settings` as on the command line.

    Raises ConfigError if the recipe does not fit the nodes that it says it has.
    """
    nodes = config.cluster
    seats(config, described_nodes(config))
    gpus = nodes.gpus_per_node if config.device == "cuda" else 0
    command = shlex.join(["medrl", "eval", recipe, *settings])
    values = {
        "name": config.name.replace(".", "-").replace("_", "-").lower(),
        "nodes": nodes.nodes,
        "workers": nodes.nodes - 1,
        "gpus": gpus,
        "cpus": nodes.cpus_per_node,
        "memory_gb": int(nodes.memory_gb),
        "memory_mib": int(nodes.memory_gb * 1e9 / 2**20),  # Slurm counts in powers of two
        "shared_memory_gb": int(nodes.memory_gb / 2),
        "command": command,
        "yaml_command": yaml.safe_dump(command, default_style='"', width=10_000).strip(),
        "slurm_gpus": f"#SBATCH --gpus-per-node={gpus}" if gpus else "# no GPUs",
        "gpu_limit": f'nvidia.com/gpu: "{gpus}"' if gpus else 'nvidia.com/gpu: "0"',
    }
    text = (_FOLDER / TEMPLATES[kind]).read_text(encoding="utf-8")
    return Template(text).substitute(values)
