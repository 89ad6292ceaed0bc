import os

import pytest
from _pytest.terminal import TerminalReporter

from tests import contract

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # as the command line does, before Ray is imported
os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # a session is what a test opens, and no call that lacks one may start it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note which rules tests hold; skip those marked `gpu`, and say so, where there is no CUDA device."""
    contract.mark(items)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    contract.print_table(terminalreporter)
