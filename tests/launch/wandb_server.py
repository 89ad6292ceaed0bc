"""As much of wandb's server as it takes to begin a run, and a switch by which it is gone: `python -m` it with a run
directory, and a run is logged whose server goes away on the way."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_PROJECT = {"id": "p", "name": "medrl", "entity": {"id": "e", "name": "us"}}
_BUCKET = {"id": "b", "name": "r", "displayName": "t", "project": _PROJECT, "historyLineCount": 0}
_FACTS = {
    "viewer": {"id": "v", "entity": "us", "username": "u", "email": "", "flags": "{}", "teams": {"edges": []}},
    "serverInfo": {"cliVersionInfo": {"max_cli_version": "99.0.0"}, "features": []},
    "upsertBucket": {"bucket": _BUCKET, "inserted": True},
    "model": {"id": "m", "bucket": None},
}


@contextmanager
def wandb_server() -> Iterator[tuple[str, threading.Event]]:
    """Its address, and the event that takes it away."""
    gone = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if gone.is_set():
                self.close_connection = True
                return
            answer = json.dumps({"data": _FACTS}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", gone
    finally:
        server.shutdown()
        server.server_close()


def main(run: Path) -> None:
    with wandb_server() as (address, gone):
        os.environ |= {"WANDB_API_KEY": "a" * 40, "WANDB_BASE_URL": address}
        from launch import wandb_run
        from launch.tracking import Tracker
        from medrl.config import Config

        wandb_run.FINISH_S = 2.0
        with Tracker(Config(name="t"), run) as tracker:
            tracker.log({"a": 0.0}, step=0, stage="grpo")
            gone.set()
            tracker.log({"a": 1.0}, step=1, stage="grpo")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
