"""Counting on Ray Data: each file goes to one worker of a pool, which reads it as a stream and gives back its counts.

    files, largest first -> workers, each with an automaton that it built once -> the counts of a file -> the caller

No document counts twice, even if workers die. The counts of a file leave its worker as one row, after its last
document; a worker that dies before takes all it counted of the file along, and the one that Ray starts in its place
begins the file anew. The caller takes one row a file; a second one would be an error.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import ray
from pydantic import TypeAdapter
from ray.data import ActorPoolStrategy, DataContext
from ray.data.exceptions import ExecutionTimeoutError
from ray.exceptions import RayError, RayTaskError

from kisa.counted_files import CorpusFile, CountedFile, count_file
from kisa.extraction import DictionaryExtractor
from kisa.mentions import Name
from medrl.errors import ConfigError, DataError, InfrastructureError, Stalled

_COUNTED = TypeAdapter(CountedFile)
#: A worker that reads slower than this hangs. Measured on a busy machine: 1 MB/s of .xml.gz.
_BYTES_PER_S = 50_000
_START_S = 600.0


class FileCounter:
    """One worker of the pool. A file that cannot be counted comes back as the message that says why."""

    def __init__(self, names: "ray.ObjectRef[Iterable[Name]]") -> None:
        self._extractor = DictionaryExtractor(ray.get(names))

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            counted = count_file(self._extractor.extract, CorpusFile(**row))
        except DataError as error:
            return {"counted": b"", "refused": str(error)}
        return {"counted": _COUNTED.dump_json(counted), "refused": ""}


def default_workers() -> int:
    """As many as the Ray session has CPUs."""
    return int(ray.cluster_resources().get("CPU", 0))


def count_files(files: Sequence[CorpusFile], names: Sequence[Name], workers: int) -> Iterator[CountedFile]:
    """Yield the counts of each file, in the order in which they are finished. A Ray session must be there.

    Takes `workers` CPUs. The memory that it takes does not depend on the size of the files. Raises ConfigError if there
    are fewer CPUs, DataError if a worker does not find a file as it was, Stalled and InfrastructureError.
    """
    cpus = default_workers()
    if workers > cpus:
        raise ConfigError(
            f"{workers} workers need {workers} CPUs, the cluster has {cpus}: lower --workers or add nodes"
        )
    if not files:
        return
    waiting = {file.path for file in files}
    largest_first = sorted(files, key=lambda file: (-file.size, file.path))
    timeout_s = _START_S + largest_first[0].size / _BYTES_PER_S
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    with DataContext.current(_context(timeout_s)):
        rows = ray.data.from_items([asdict(file) for file in largest_first], override_num_blocks=len(files))
        counted = rows.map(
            FileCounter,  # type: ignore[arg-type]  # a class that can be called, which Ray takes and its types do not
            fn_constructor_args=(ray.put(names),),
            # One in flight: a second would wait for a worker while others are idle.
            compute=ActorPoolStrategy(size=min(workers, len(files)), max_tasks_in_flight_per_actor=1),
            num_cpus=1,
        )
        try:
            for row in counted.iter_rows():
                if row["refused"]:
                    raise DataError(row["refused"])
                done = _COUNTED.validate_json(row["counted"])
                waiting.remove(done.file.path)
                yield done
        except ExecutionTimeoutError as error:
            raise Stalled(
                f"no file was finished in {timeout_s:.0f} s: {len(waiting)} are left, e.g. {min(waiting)}"
            ) from error
        except RayTaskError:  # an error in our code, not in the cluster
            raise
        except RayError as error:
            raise InfrastructureError(f"counting broke off: {str(error).splitlines()[0]}") from error
    if waiting:
        raise InfrastructureError(f"{len(waiting)} files were not counted, e.g. {min(waiting)}")


def _context(timeout_s: float) -> DataContext:
    """Settings of Ray Data for this: it prints nothing, and does not wait for ever."""
    context = DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = timeout_s
    return context
