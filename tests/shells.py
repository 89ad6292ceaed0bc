"""Runs what a page tells its reader to run, as the reader would: in a shell and a folder, with `medrl` on the path."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.pages import ROOT, Block

_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S*")


def _environment() -> dict[str, str]:
    own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **own, "WANDB_MODE": "offline"}


def run(block: Block, folder: Path, timeout_s: float) -> str:
    """What its commands print; each must end well, within `timeout_s` all together."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, f"line {block.line}:\n{block.text}{done.stdout[-4000:]}"
    return done.stdout


def visit(block: Block, folder: Path, timeout_s: float) -> str:
    """Start the one command, which serves; fetch the page at the address that it prints, and interrupt it. The page.

    The command gets a port of its own, as any may be taken.
    """
    command = f"exec {block.text.strip()} --port 0"
    output = folder / "server.log"
    with output.open("w") as log:
        server = subprocess.Popen(
            ["bash", "-c", command],
            cwd=folder,
            env=_environment() | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        page = _until(timeout_s, server, output, lambda: _fetched(output))
        server.send_signal(signal.SIGINT)
        server.wait(timeout=120)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    assert server.returncode in (0, 130), output.read_text()[-4000:]
    return page


def _fetched(output: Path) -> str | None:
    """The page, once there is an address: who reads it can connect."""
    address = _ADDRESS.search(output.read_text())
    if address is None:
        return None
    with urllib.request.urlopen(address[0], timeout=60) as answer:
        return str(answer.read().decode())


def _until(timeout_s: float, server: subprocess.Popen[bytes], output: Path, look: Callable[[], str | None]) -> str:
    begun = time.monotonic()
    while time.monotonic() - begun < timeout_s:
        page = look()
        if page is not None:
            return page
        assert server.poll() is None, output.read_text()[-4000:]
        time.sleep(0.2)
    raise AssertionError(f"no page in {timeout_s:g} s: {output.read_text()[-4000:]}")
