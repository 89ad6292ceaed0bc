"""Work in a process of its own, so that the memory it took goes with it.

Synthesis leaves over a gigabyte behind in the allocator of its process, however well its objects are released; and the
controller lives as long as the run.
"""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, TypeVar

from medrl.errors import InfrastructureError

P = ParamSpec("P")
T = TypeVar("T")


def aside(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`function(*args, **kwargs)` in a fresh process; it, its arguments and its result can be pickled.

    What it raises is raised here. Raises InfrastructureError if the process dies.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(function, *args, **kwargs).result()
        except BrokenProcessPool as error:
            name = getattr(function, "__name__", str(function))
            raise InfrastructureError(f"the process of {name} died: was it killed for want of memory?") from error
