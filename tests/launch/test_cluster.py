"""The rendered files: what shells and Kubernetes would make of them, and whether they ask for what the plan needs."""

import subprocess

import pytest
import yaml

from actors.seats import gpus
from launch.cluster.render import TEMPLATES, render
from launch.recipe import load_recipe
from medrl.errors import ConfigError

BIG = ["qwen2.5-7b", "qwen2.5-32b"]


@pytest.mark.parametrize("recipe", BIG)
@pytest.mark.parametrize("kind", ["slurm", "ray-job"])
def test_scripts_are_ones_that_bash_reads(recipe: str, kind: str) -> None:
    text = render(kind, load_recipe(recipe), recipe, ["grpo.steps=3", "run_dir=/shared/a run"])
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    assert f"medrl eval {recipe} grpo.steps=3 'run_dir=/shared/a run'" in text
    assert "KEY=" not in text


def test_slurm_asks_for_the_nodes_of_the_recipe() -> None:
    text = render("slurm", load_recipe("qwen2.5-32b"), "qwen2.5-32b", [])
    lines = text.splitlines()
    for line in (
        "#SBATCH --nodes=8",
        "#SBATCH --gpus-per-node=8",
        "#SBATCH --cpus-per-task=96",
        "#SBATCH --mem=1430511M",
    ):
        assert line in lines


@pytest.mark.parametrize("recipe", BIG)
def test_kubernetes_gets_as_many_gpus_as_the_plan_needs(recipe: str) -> None:
    config = load_recipe(recipe)
    job = yaml.safe_load(render("kubernetes", config, recipe, ["grpo.steps=3"]))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert job["spec"]["entrypoint"] == f"medrl eval {recipe} grpo.steps=3"
    cluster = job["spec"]["rayClusterSpec"]
    [workers] = cluster["workerGroupSpecs"]
    pods = [(1, cluster["headGroupSpec"]), (workers["replicas"], workers)]
    limits = [(n, group["template"]["spec"]["containers"][0]["resources"]["limits"]) for n, group in pods]
    assert sum(n * int(limit["nvidia.com/gpu"]) for n, limit in limits) >= gpus(config)
    assert sum(n for n, _ in pods) == config.cluster.nodes


@pytest.mark.parametrize("kind", TEMPLATES)
def test_what_does_not_fit_is_not_rendered(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"need 16 GPUs, the cluster has 8"):
        render(kind, load_recipe("qwen2.5-7b", ["pool.engines=12"]), "qwen2.5-7b", [])
