"""Where actors go, for clusters that are only described."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.seats import Node, gpus, kind, rank_names, seats, threads
from medrl.config import Config, parse
from medrl.errors import ConfigError


def config(device: str = "cuda", **sections: object) -> Config:
    return parse({"name": "t", "device": device, **sections}, "test")


def nodes(*gpus: int, cpus: float = 64) -> list[Node]:
    return [Node(str(n), f"node-{n}", cpus, each) for n, each in enumerate(gpus)]


def used(found: dict[str, Node], settings: Config) -> Counter[str]:
    """GPUs taken, by node."""
    wide = {"engine": settings.pool.tensor_parallel, "learner": 1}
    return sum((Counter({node.host: wide.get(kind(name), 0)}) for name, node in found.items()), Counter())


def test_the_learner_is_packed_beside_the_driver_and_engines_are_spread() -> None:
    wide = config(pool={"engines": 8, "tensor_parallel": 4}, learner={"ranks": 32}, rollout={"workers": 32})
    found = seats(wide, nodes(*[8] * 8))
    assert [found[name].host for name in rank_names(wide)] == [f"node-{n // 8}" for n in range(32)]
    assert Counter(found[f"engine-{n}"].host for n in range(8)) == {f"node-{n}": 2 for n in range(4, 8)}
    assert set(Counter(found[f"rollout-{n}"].host for n in range(32)).values()) == {4}
    assert found["reward"].host == found["curriculum"].host == "node-0"


def test_an_engine_that_needs_a_whole_node_finds_it_whatever_the_order() -> None:
    """Packed first, the learner would take four of the only node that an engine fits on."""
    found = seats(config(pool={"tensor_parallel": 8}, learner={"ranks": 4}), nodes(8, 4))
    assert found["engine-0"].host == "node-0"
    assert {found[f"learner-{rank}"].host for rank in range(4)} == {"node-1"}


def test_a_driver_without_gpus_keeps_what_needs_none() -> None:
    found = seats(config(learner={"ranks": 2}), nodes(0, 4))
    assert {found[name].host for name in ("engine-0", "learner-0", "learner-1")} == {"node-1"}
    assert found["reward"].host == "node-0"


@pytest.mark.contract("12 refused", "a plan that no node of the cluster has room for, before anything starts")
def test_what_one_node_cannot_hold_is_refused_with_numbers() -> None:
    with pytest.raises(ConfigError, match=r"tensor_parallel=8: .* none has more than 4\. Lower it, or use larger"):
        seats(config(pool={"tensor_parallel": 8}), nodes(4, 4, 4))
    with pytest.raises(ConfigError, match=r"engine-1 needs 3 GPUs .* left are node-0 1 GPUs .* node-1 2 GPUs"):
        seats(config(pool={"engines": 2, "tensor_parallel": 3}, learner={"ranks": 1}), nodes(5, 2))
    with pytest.raises(ConfigError, match=r"need 10 GPUs, the cluster has 8\."):
        seats(config(pool={"engines": 2, "tensor_parallel": 4}, learner={"ranks": 2}), nodes(4, 4))


@given(
    engines=st.integers(1, 6),
    parallel=st.sampled_from([1, 2, 4]),
    ranks=st.integers(1, 12),
    sizes=st.lists(st.sampled_from([0, 2, 4, 8]), min_size=1, max_size=5),
)
def test_no_node_gets_more_than_it_has(engines: int, parallel: int, ranks: int, sizes: list[int]) -> None:
    """And equal nodes refuse nothing that can be placed: they have whole engines, and ranks take what is left."""
    settings = config(pool={"engines": engines, "tensor_parallel": parallel}, learner={"ranks": ranks})
    there = nodes(*sizes)
    try:
        found = seats(settings, there)
    except ConfigError:
        whole = sum(size // parallel for size in sizes)
        assert whole < engines or gpus(settings) > sum(sizes)
    else:
        assert all(used(found, settings)[node.host] <= node.gpus for node in there)


def test_on_cpu_ranks_and_engines_have_nodes_of_their_own_while_there_are_enough() -> None:
    there = [Node(str(n), f"node-{n}", 10 + n, 0) for n in range(3)]
    three = config("cpu", pool={"engines": 2}, grpo={"schedule": "async"})
    found = seats(three, there)
    assert [found[name].host for name in ("learner-0", "engine-0", "engine-1")] == ["node-0", "node-1", "node-2"]
    assert [threads(three, found, name) for name in ("learner-0", "engine-0", "engine-1")] == [10, 11, 12]


@pytest.mark.parametrize(
    ("schedule", "alone", "expected"),
    [("sync", False, [5, 2, 3]), ("async", False, [3, 1, 1]), ("async", True, [5, 2, 3])],
)
def test_cores_of_one_machine_are_shared_out(schedule: str, alone: bool, expected: list[int]) -> None:
    one = config("cpu", pool={"engines": 2}, grpo={"schedule": schedule})
    found = seats(one, nodes(0, cpus=5))
    assert [threads(one, found, name, alone=alone) for name in ("learner-0", "engine-0", "engine-1")] == expected


def test_threads_are_never_none() -> None:
    many = config("cpu", pool={"engines": 3}, learner={"ranks": 2})
    found = seats(many, nodes(0, cpus=1))
    assert {threads(many, found, name) for name in found if kind(name) in ("engine", "learner")} == {1}
