from actors.meter import Reading
from launch.players import Life
from launch.usage import usage_metrics


def test_shares_by_hand() -> None:
    """10 s: one engine busy for 4 of them with 20 request-seconds, the other for all with 30; a worker idle for 5."""
    before = {
        Life("engine", "engine-0", 7): Reading(100.0, 50.0, 500.0, 3),
        Life("engine", "engine-1", 8): Reading(1.0, 0.0, 0.0, 0),
        Life("rollout", "rollout-0"): Reading(90.0, 90.0, 100.0, 1),
    }
    after = {
        Life("engine", "engine-0", 7): Reading(110.0, 54.0, 520.0, 0),
        Life("engine", "engine-1", 8): Reading(11.0, 10.0, 30.0, 3),
        Life("rollout", "rollout-0"): Reading(100.0, 95.0, 140.0, 8),
    }
    assert usage_metrics(before, after) == {
        "perf/engine_busy": 0.7,
        "perf/engine_requests": 2.5,
        "perf/worker_busy": 0.5,
        "perf/worker_episodes": 4.0,
    }


def test_an_engine_that_began_anew_is_left_out_and_one_not_heard_of_too() -> None:
    before = {Life("engine", "engine-0", 7): Reading(9.0, 9.0, 9.0, 1), Life("engine", "engine-1", 8): Reading(5.0)}
    after = {Life("engine", "engine-0", 9): Reading(20.0, 1.0, 1.0, 1), Life("engine", "engine-1", 8): Reading(5.0)}
    assert usage_metrics(before, after) == {}
