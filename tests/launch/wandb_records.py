"""What an offline run of wandb has kept, read from its .wandb file.

The file: 7 bytes of header, then blocks of 32 KiB of chunks, each 7 bytes (checksum, length, kind) and its data; kinds
1 and 4 end a record.
"""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2 as messages

BLOCK, HEADER = 32_768, 7


def records(run: Path, kind: str) -> list[Any]:
    """The records of a kind ("metric", "history", "artifact", ...) of the closed runs below `run`, in order.

    wandb's own process writes them, and goes on for a moment after a run was closed.
    """
    found = []
    for path in sorted((run / "wandb").glob("offline-run-*/*.wandb")):
        deadline = time.monotonic() + 60
        while not (read := _read(path)) or read[-1].WhichOneof("record_type") != "exit":
            assert time.monotonic() < deadline, f"{path} does not end"
            time.sleep(0.05)
        found += [getattr(record, kind) for record in read if record.WhichOneof("record_type") == kind]
    return found


def _read(path: Path) -> list[Any]:
    whole = []
    for data in _chunks(path.read_bytes()):
        record = messages.Record()
        record.ParseFromString(data)
        whole.append(record)
    return whole


def _chunks(data: bytes) -> Iterator[bytes]:
    place, whole = HEADER, b""
    while place < len(data):
        left = BLOCK - place % BLOCK
        if left < HEADER:
            place += left
            continue
        if place + HEADER > len(data):
            return  # not written yet
        _, length, kind = struct.unpack("<IHB", data[place : place + HEADER])
        whole += data[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (1, 4):
            yield whole
            whole = b""
