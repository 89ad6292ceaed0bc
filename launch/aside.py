"""Work in a process of its own, so that the memory it took goes with it.

Synthesis leaves over a gigabyte behind in the allocator of its process, however well its objects are released; and the
controller lives as long as the run.
"""

import multiprocessing
import pickle
import signal
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

from medrl.errors import InfrastructureError
from medrl.processes import end_with_parent

P = ParamSpec("P")
T = TypeVar("T")


def aside(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`function(*args, **kwargs)` in a fresh process; it, its arguments and its result can be pickled.

    What it raises is raised here. Raises InfrastructureError if the process dies. Whoever interrupts the wait ends the
    process too: there is nobody left to hand its result to.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, function, args, kwargs))
    process.start()
    sender.close()  # so that the process's death ends the wait
    result: T
    try:
        result, error, where = receiver.recv()
    except EOFError as lost:
        name = getattr(function, "__name__", str(function))
        process.join()
        raise InfrastructureError(
            f"the process of {name} died ({process.exitcode}): was it killed for want of memory?"
        ) from lost
    except BaseException:
        process.kill()
        raise
    finally:
        process.join()
        receiver.close()
    if error is not None:
        raise error from _Elsewhere(where)
    return result


def _work(sender: Connection, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    try:
        sender.send((function(*args, **kwargs), None, ""))
    except Exception as error:  # noqa: BLE001  # it is raised again by the process that waits
        where = traceback.format_exc()
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  # our own, and only to see whether it can be sent
        except Exception:  # noqa: BLE001  # an error that cannot be sent is sent as its text
            error = RuntimeError(f"{type(error).__name__}: {error}")
        sender.send((None, error, where))


class _Elsewhere(Exception):
    """The traceback of the other process, shown above the error's own."""

    def __str__(self) -> str:
        return f"in the process of its own:\n{self.args[0]}"
