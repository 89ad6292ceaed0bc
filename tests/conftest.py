import os
from collections.abc import Callable

import pytest
from _pytest.terminal import TerminalReporter

from tests import contract

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # as the command line does, before Ray is imported
os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # a session is what a test opens, and no call that lacks one may start it


SLOW_MACHINE = 0.15e12
"""FLOP/s of matrix products; two cores that multiply bfloat16 have 0.4e12, two with AVX2 alone 0.06e12."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note which rules tests hold; skip, and say so, those marked `gpu` where there is no CUDA device, and those marked
    `long` on a slow machine."""
    contract.mark(items)
    skip(items, "gpu", no_device)
    skip(items, "long", slow_machine)


def skip(items: list[pytest.Item], marker: str, why_not: Callable[[], str | None]) -> None:
    marked = [item for item in items if item.get_closest_marker(marker)]
    if marked and (reason := why_not()) is not None:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=reason))


def no_device() -> str | None:
    import torch

    return None if torch.cuda.is_available() else "no CUDA device"


def slow_machine() -> str | None:
    if os.environ.get("MEDRL_LONG"):
        return None
    import torch

    from launch.forecast import product_rate
    from medrl.precision import fast_precision

    rate = product_rate(1024, 576, 1536, getattr(torch, fast_precision("cpu")))
    told = f"takes many minutes at {rate / 1e12:.2f} TFLOP/s; MEDRL_LONG=1 runs it"
    return told if rate < SLOW_MACHINE else None


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    contract.print_table(terminalreporter)
