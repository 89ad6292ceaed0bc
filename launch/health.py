"""How the actors of a run are, while it is at work: health.json, and now and then a line of health.jsonl.

    {"time": unix seconds, "ended": false, "stage": "grpo", "step": 3, "actors": [{"name": "controller", ...}, ...]}

Of each actor: name, pid, node (a host), state (starting, alive, restarting, dead, or stopped: ended on purpose),
restarts, heard_s: seconds since the controller last heard of it in the course of the work; and, where it runs on the
controller's node, rss_gb and cpu (cores) of its process and their children. Of engines requests_running,
requests_waiting, policy_version, tokens_per_s; of rollout workers and the reward actor episodes. What is not known is
null. A run that was killed leaves `ended` false and an old time.
"""

import json
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ray

from actors.placement import cluster_nodes
from actors.seats import LIGHT, kind
from actors.signs import Entry, Sign, entries
from launch.processes import Processes, Use
from medrl.records import append_lines, write_json

EVERY_S = 2.0
LINE_EVERY = 15
"""Times that health.json is written for one line of health.jsonl."""
RATE_OVER = 8
"""Times that health.json is written over which tokens per second are taken."""
_KEPT = ("state", "restarts", "rss_gb", "cpu", "tokens_per_s", "requests_running", "requests_waiting", "episodes")
"""Of each actor in health.jsonl."""
_KINDS = ("engine", "learner", "rollout", *LIGHT)

Signs = Callable[[], Mapping[str, Sign]]


class Heard:
    """What signs of life one actor has given."""

    def __init__(self) -> None:
        self.ready = False  # it has been
        self._mark = -1.0
        self._at: float | None = None
        self._tokens: deque[tuple[float, int]] = deque(maxlen=RATE_OVER)

    def take(self, sign: Sign, now: float) -> dict[str, Any]:
        """Its figures, with what it sampled as a rate; null until there are two counts of one life."""
        self.ready |= sign.ready
        if sign.heard != self._mark:
            self._mark, self._at = sign.heard, now
        if sign.tokens is None:
            return dict(sign.figures)
        if self._tokens and sign.tokens < self._tokens[-1][1]:  # it began anew
            self._tokens.clear()
        self._tokens.append((now, sign.tokens))
        since, before = self._tokens[0]
        rate = round((sign.tokens - before) / (now - since), 1) if now > since else None
        return dict(sign.figures) | {"tokens_per_s": rate}

    def silent_s(self, now: float) -> float | None:
        """Since it was last heard of; None if it never was."""
        return None if self._at is None else round(now - self._at, 1)


class Health:
    """Watches from a thread of its own, from entering to leaving; asks no actor anything."""

    def __init__(self, run_path: Path, at: Callable[[], tuple[str, int] | None], every_s: float = EVERY_S) -> None:
        """`at`: the stage and step that were logged last."""
        self._run_path = run_path
        self._at = at
        self._every_s = every_s
        self.stage = ""  # what is at work
        self._sources: list[Signs] = []
        self._heard: dict[tuple[str, int, int], Heard] = {}  # by name, when it began, and restarts since
        self._processes = Processes()
        self._actors: list[dict[str, Any]] = []
        self._hosts: dict[str, str] = {}  # by Ray's id of the node; empty while there is no session
        self._own_node = ""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    @contextmanager
    def session(self) -> Iterator[None]:
        """There is a Ray session in the block, and it may be asked which actors it has. They end with it."""
        with self._lock:
            self._hosts = {node.id: node.host for node in cluster_nodes()}
            self._own_node = ray.get_runtime_context().get_node_id()
        try:
            yield
        finally:
            self.write()
            with self._lock:
                self._hosts = {}
                for actor in self._actors:
                    actor |= Use(rss_gb=None, cpu=None)
                    actor["state"] = "dead" if actor["state"] == "dead" else "stopped"

    @contextmanager
    def listening(self, source: Signs) -> Iterator[None]:
        """`source` knows of some actors in the block. At its end they are told of once more, however short it was."""
        self._sources.append(source)
        try:
            yield
            self.write(line=True)
        finally:
            self._sources.remove(source)

    def write(self, *, ended: bool = False, line: bool = False) -> None:
        """Write health.json; `line`: and a line of health.jsonl."""
        with self._lock:
            self._processes.read()
            if self._hosts:
                self._actors = self._look()
            at = self._at()
            status = {
                "time": round(time.time(), 3),
                "ended": ended,
                "stage": self.stage,
                "step": at[1] if at is not None and at[0] == self.stage else None,
            }
            actors = [self._controller(ended), *self._actors]
            write_json(self._run_path / "health.json", status | {"actors": actors})
            if line:
                short = {each["name"]: {key: each[key] for key in _KEPT if key in each} for each in actors}
                with (self._run_path / "health.jsonl").open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(status | {"actors": short}) + "\n")

    def __enter__(self) -> Self:
        append_lines(self._run_path / "health.jsonl").close()  # mends it
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self.write(ended=True, line=True)

    def _run(self) -> None:
        count = 0
        while not self._stop.wait(self._every_s if count else 0.0):
            self.write(line=count % LINE_EVERY == 0)
            count += 1

    def _look(self) -> list[dict[str, Any]]:
        signs = {name: sign for source in self._sources for name, sign in source().items()}
        found = sorted(
            (entry for entry in entries() if kind(entry.name) in _KINDS), key=lambda entry: _place(entry.name)
        )
        return [self._actor(entry, signs.get(entry.name)) for entry in found]

    def _controller(self, ended: bool) -> dict[str, Any]:
        state = "stopped" if ended else "alive"
        own = {"name": "controller", "pid": os.getpid(), "node": socket.gethostname(), "state": state, "restarts": 0}
        return own | {"heard_s": 0.0} | self._processes.use(os.getpid(), alone=True)

    def _actor(self, entry: Entry, sign: Sign | None) -> dict[str, Any]:
        now = time.monotonic()
        heard = self._heard.setdefault((entry.name, entry.begun, entry.restarts), Heard())
        figures = {} if sign is None or entry.state in ("dead", "stopped") else heard.take(sign, now)
        loading = kind(entry.name) in ("engine", "learner") and not heard.ready
        local = entry.node == self._own_node and entry.state == "alive"
        return {
            "name": entry.name,
            "pid": entry.process,
            "node": self._hosts.get(entry.node),
            "state": "starting" if entry.state == "alive" and loading else entry.state,
            "restarts": entry.restarts,
            "heard_s": heard.silent_s(now),
            **(self._processes.use(entry.process) if local else Use(rss_gb=None, cpu=None)),
            **figures,
        }


def _place(name: str) -> tuple[str, int]:
    """By kind, then by number."""
    return kind(name), int(name.partition("-")[2] or 0)
