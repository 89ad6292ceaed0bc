"""A real engine under the agent, on a random tiny model: it never answers, but it samples, streams, stops and ends."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from launch.ask.agent import Asked
from launch.ask.events import Acted, Event, Report, Said
from launch.ask.opening import choose, opened
from medrl.records import write_text
from medrl.types import Completion, Sampling
from tests.test_end_to_end import config
from tests.tiny import save_tiny

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SETTINGS = ["reward.irrelevant_below=0"]  # no choice of tools was fitted
PROMPT = [1, 2, 3]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has a checkpoint and nothing else."""
    settings = config(tmp_path_factory.mktemp("real"))
    write_text(settings.run_path / "config.yaml", settings.to_yaml())
    save_tiny(settings.run_path / "checkpoints" / "rl", seed=1)
    return settings.run_path


def test_turns_are_told_token_by_token_and_who_leaves_frees_the_engine(run: Path) -> None:
    events: list[Event] = []
    with opened(choose(run, None, None, SETTINGS)) as (agent, pool):

        async def all_of_it() -> tuple[Report, list[Completion], list[list[int]]]:
            report = await agent.ask(Asked("Which gene causes Disease 1?", 3), events.append)
            told: list[list[int]] = []
            sampling = Sampling(1.0, 200, seed=7)
            both = [
                await pool.generate(PROMPT, sampling=sampling, request_id="a/0"),
                await pool.generate(PROMPT, sampling=sampling, request_id="b/0", on_tokens=told.append),
            ]
            asking = asyncio.create_task(agent.ask(Asked("Which gene causes Disease 2?", 8), lambda event: None))
            await asyncio.sleep(0.1)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            quick = asyncio.create_task(agent.ask(Asked("Which gene causes Disease 2?", 1), lambda event: None))
            assert (await quick).samples == 1
            await asyncio.sleep(1.0)
            pulse = await pool._engines[0].ping.remote()
            assert pulse.silent_s == 0.0  # nothing runs any more
            return report, both, told

        report, (plain, streamed), told = asyncio.run(all_of_it())

    assert report.samples == 3 and report.usage.completion_tokens > 0
    said = [event.text for event in events if isinstance(event, Said) and event.turn == 0]
    [whole] = [event for event in events if isinstance(event, Acted) and event.sample == 0 and event.turn == 0]
    assert len(said) > 1 and all(len(one) <= len(whole.written) for one in said)
    assert streamed == plain  # the same tokens, log-probs and versions
    assert len(told) > 1 and all(streamed.token_ids[: len(part)] == part for part in told if part)


def test_a_server_answers_on_all_its_addresses_and_leaves_nothing_behind(run: Path) -> None:
    code = "import sys; from launch.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "serve", str(run), "--port", "0", "--set", SETTINGS[0]]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        greeting = server.stdout.readline()
        address = greeting.split("/ask")[0].rpartition(" ")[2]
        assert address.startswith("http://127.0.0.1:"), greeting
        pages = httpx.get(f"{address}/api/pages", timeout=30).json()
        assert {page["path"] for page in pages} == {"/", "/review", "/ask"}
        assert all(httpx.get(address + page["path"], timeout=30).status_code == 200 for page in pages)
        body = {"model": "tiny-rl", "messages": [{"role": "user", "content": "Which gene causes Disease 1?"}]}
        done = httpx.post(f"{address}/v1/chat/completions", json=body | {"samples": 2}, timeout=120).json()
        assert done["usage"]["completion_tokens"] > 0
        assert "no medical advice" in done["choices"][0]["message"]["content"]
        children = psutil.Process(server.pid).children(recursive=True)
        assert any("EngineActor" in "".join(child.cmdline()) for child in children)
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0
    deadline = time.monotonic() + 30
    while any(child.is_running() for child in children) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not [child for child in children if child.is_running()]
