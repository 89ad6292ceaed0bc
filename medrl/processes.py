"""Processes that work for another one."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Called in a process that `multiprocessing` started: it ends at once when its parent does, however that comes.

    Without it a killed run would leave workers behind that wait for ever, or write beside the run that comes after.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, name="parent-watch", daemon=True).start()
