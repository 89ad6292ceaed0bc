import pytest

from actors.placement import engine_needs, learner_needs, plan, require, require_here
from medrl.config import Config, parse
from medrl.errors import ConfigError


def config(device: str = "cpu", **sections: dict[str, int]) -> Config:
    return parse({"name": "t", "device": device, **sections}, "test")


def test_on_cpu_actors_take_turns_and_ask_for_nothing() -> None:
    require(config(), {"CPU": 1.0})
    assert all(needs.num_cpus == needs.num_gpus == 0 for needs in plan(config()))


def test_engines_share_out_the_cores() -> None:
    two = config(pool={"engines": 2})
    threads = [int(engine_needs(two, index, [0, 1, 2, 3, 4]).env["OMP_NUM_THREADS"]) for index in range(2)]
    assert sorted(threads) == [2, 3]
    assert engine_needs(config(pool={"engines": 3}), 2, [0]).env["OMP_NUM_THREADS"] == "1"


def test_learner_threads_are_the_configured_ones_or_a_share() -> None:
    assert learner_needs(config(learner={"threads": 7}), 0, [0, 1]).env["OMP_NUM_THREADS"] == "7"
    assert learner_needs(config(learner={"ranks": 2}), 1, [0, 1]).env["OMP_NUM_THREADS"] == "1"


def test_every_actor_is_offline_and_tells_no_one() -> None:
    for needs in plan(config()):
        env = needs.options["runtime_env"]["env_vars"]
        assert env["HF_HUB_OFFLINE"] == env["VLLM_NO_USAGE_STATS"] == env["DO_NOT_TRACK"] == "1"


def test_names_are_told_apart() -> None:
    names = [needs.name for needs in plan(config(pool={"engines": 2}, learner={"ranks": 3}, rollout={"workers": 4}))]
    assert len(set(names)) == len(names) == 2 + 3 + 4 + 2  # reward, curriculum


@pytest.mark.contract("12 refused", "a plan that needs more than the cluster has, before anything starts")
def test_a_plan_that_does_not_fit_is_refused_with_numbers_and_a_way_out() -> None:
    wide = config("cuda", pool={"engines": 2, "tensor_parallel": 4}, learner={"ranks": 2})
    require(wide, {"CPU": 64.0, "GPU": 10.0})
    with pytest.raises(ConfigError, match=r"need 10 GPUs, the cluster has 8\. Lower pool\.engines"):
        require(wide, {"CPU": 64.0, "GPU": 8.0})
    with pytest.raises(ConfigError, match="CPUs.*rollout.workers"):
        require(config("cuda", rollout={"workers": 40}), {"CPU": 8.0, "GPU": 8.0})


def test_tensor_parallel_on_cpu_is_refused() -> None:
    with pytest.raises(ConfigError, match="tensor_parallel"):
        require(config(pool={"tensor_parallel": 2}), {"CPU": 2.0})


def test_gpus_that_this_machine_lacks_are_missed_before_ray_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("actors.placement.torch.cuda.device_count", lambda: 1)
    needing_two = config("cuda")  # an engine and a learner rank
    with pytest.raises(ConfigError, match="need 2 GPUs, the cluster has 1"):
        require_here(needing_two)
    monkeypatch.setenv("RAY_ADDRESS", "elsewhere:6379")
    require_here(needing_two)
