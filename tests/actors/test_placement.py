import socket

import pytest

from actors.placement import described_nodes, plan, require_here, this_machine
from actors.seats import Node
from medrl.config import Config, parse
from medrl.errors import ConfigError

HERE = [Node("a", "here", 4, 0)]
HEX = ["0a" * 28, "0b" * 28]
TWO = [Node(HEX[0], "here", 4, 2), Node(HEX[1], "there", 64, 8)]


def config(device: str = "cpu", **sections: dict[str, int]) -> Config:
    return parse({"name": "t", "device": device, **sections}, "test")


def test_on_cpu_actors_take_turns_and_ask_for_nothing() -> None:
    needs = plan(config(), [Node("a", "here", 1, 0)])
    assert all(each.num_cpus == each.num_gpus == 0 for each in needs.values())


def test_an_address_where_nothing_answers_is_refused_before_ray_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        require_here(config())
    with pytest.raises(ConfigError, match=f"RAY_ADDRESS={address}: nothing answers there .*refused"):
        require_here(config())
    for other in ("auto", "ray://127.0.0.1:1"):
        monkeypatch.setenv("RAY_ADDRESS", other)
        require_here(config())


def test_threads_are_the_configured_ones_or_a_share() -> None:
    assert plan(config(learner={"threads": 7}), HERE)["learner-0"].env["OMP_NUM_THREADS"] == "7"
    assert plan(config(learner={"ranks": 2}), HERE)["learner-1"].env["OMP_NUM_THREADS"] == "2"


def test_every_actor_is_offline_and_tells_no_one() -> None:
    for needs in plan(config(), HERE).values():
        env = needs.options["runtime_env"]["env_vars"]
        assert env["HF_HUB_OFFLINE"] == env["VLLM_NO_USAGE_STATS"] == env["DO_NOT_TRACK"] == "1"


def test_names_are_told_apart() -> None:
    names = plan(config(pool={"engines": 2}, learner={"ranks": 3}, rollout={"workers": 4}), HERE)
    assert len(names) == 2 + 3 + 4 + 2  # reward, curriculum
    assert all(name == needs.name for name, needs in names.items())


def test_a_node_is_named_where_there_are_several() -> None:
    wide = config("cuda", pool={"tensor_parallel": 4}, learner={"ranks": 2})
    assert plan(config(), HERE)["engine-0"].options["scheduling_strategy"] == "DEFAULT"
    needs = plan(wide, TWO)
    assert [needs["learner-1"].node, needs["engine-0"].node] == HEX
    strategy = needs["engine-0"].options["scheduling_strategy"]
    assert (strategy.node_id, strategy.soft) == (HEX[1], False)


def test_gpus_are_asked_for_by_kind() -> None:
    needs = plan(config("cuda", pool={"tensor_parallel": 4}, learner={"ranks": 2}), TWO)
    assert {name: each.num_gpus for name, each in needs.items() if each.num_gpus} == {
        "engine-0": 4,
        "learner-0": 1,
        "learner-1": 1,
    }
    assert {each.num_cpus for each in needs.values()} == {1}


@pytest.mark.contract("12 refused", "a plan that needs more than the cluster has, before anything starts")
def test_a_plan_that_does_not_fit_is_refused_with_numbers_and_a_way_out() -> None:
    wide = config("cuda", pool={"engines": 2, "tensor_parallel": 4}, learner={"ranks": 2})
    plan(wide, TWO)
    with pytest.raises(ConfigError, match=r"need 10 GPUs, the cluster has 8\. Lower pool\.engines"):
        plan(wide, TWO[1:])
    with pytest.raises(ConfigError, match=r"CPUs.*rollout.workers"):
        plan(config("cuda", rollout={"workers": 40}), [Node("a", "here", 8, 8)])


def test_tensor_parallel_on_cpu_is_refused() -> None:
    with pytest.raises(ConfigError, match="tensor_parallel"):
        plan(config(pool={"tensor_parallel": 2}), HERE)


def test_nodes_are_those_of_the_recipe_on_gpus_and_this_machine_on_cpu() -> None:
    nodes = described_nodes(config("cuda", cluster={"nodes": 3, "gpus_per_node": 4, "cpus_per_node": 32}))
    assert [(node.cpus, node.gpus) for node in nodes] == [(32, 4)] * 3
    assert described_nodes(config()) == [this_machine()]


def test_gpus_that_this_machine_lacks_are_missed_before_ray_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    needing_two = config("cuda")  # an engine and a learner rank
    with pytest.raises(ConfigError, match="need 2 GPUs, the cluster has 1"):
        require_here(needing_two)
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    require_here(needing_two)
