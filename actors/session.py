"""A Ray session: the cluster that RAY_ADDRESS names, else one of our own that keeps to this machine."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from medrl.errors import ConfigError

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Environment of every actor: nothing is fetched, nothing is reported, and only warnings are printed."""


def require_answer(address: str, timeout_s: float = 10.0) -> None:
    """Raises ConfigError if nothing listens at `address`, "host:port"; others ("auto", "ray://…") are Ray's to read."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout_s).close()
    except OSError as error:
        raise ConfigError(
            f"RAY_ADDRESS={address}: nothing answers there ({error.strerror or error}); start the cluster, or unset it "
            "to run on this machine alone"
        ) from error


@contextmanager
def connected(cores: int | None = None) -> Iterator[None]:
    """A Ray session, left at the end; one of our own is stopped then. `cores`: what one of our own may use; None: what
    this process may. Raises ConfigError if nothing answers at RAY_ADDRESS."""
    os.environ.update(QUIET)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    options: dict[str, Any] = {"log_to_driver": bool(os.environ.get("MEDRL_ACTOR_LOGS")), "configure_logging": False}
    if "RAY_ADDRESS" in os.environ:
        require_answer(os.environ["RAY_ADDRESS"])
    else:
        options |= {
            "address": "local",
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "object_store_memory": 256 * 2**20,
            "num_cpus": cores or len(os.sched_getaffinity(0)),
        }
        os.environ |= {"VLLM_HOST_IP": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    # Actors unpickle functions of this project, so they must find it where this process does.
    options["runtime_env"] = {"env_vars": {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}}
    ray.init(**options)
    try:
        yield
    finally:
        ray.shutdown()
