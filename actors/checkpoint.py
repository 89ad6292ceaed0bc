"""Folders that are there whole or not at all, whenever the process or the machine stops."""

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""renameat2(2)."""


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """A fresh folder beside `folder`; takes its place when the block ends well, and is removed when it does not.

    Both are swapped in one step where the file system can. Elsewhere it takes two, and `recover` mends what was
    stopped between them. One process at a time may replace a folder.
    """
    partial, old = _beside(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    recover(folder)
    partial.mkdir()
    try:
        yield partial
        sync_tree(partial)
        if not folder.exists():
            os.replace(partial, folder)
        elif not _exchange(partial, folder):
            os.replace(folder, old)
            os.replace(partial, folder)
        sync(folder.parent)
    finally:
        recover(folder)  # what was replaced, under the one name or the other, goes; unless nothing took its place


def recover(folder: Path) -> None:
    """Give `folder` back if a `replace_folder` was stopped after it had been moved away; remove what else it left."""
    partial, old = _beside(folder)
    if old.exists() and not folder.exists():
        os.replace(old, folder)
    for left in (partial, old):
        if left.exists():
            shutil.rmtree(left)


def sync_tree(folder: Path) -> None:
    """Make all that is below `folder` outlast a power cut."""
    for path in (*folder.rglob("*"), folder):
        sync(path)


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f".{folder.name}.partial"), folder.with_name(f".{folder.name}.old")


def _exchange(a: Path, b: Path) -> bool:
    """Swap two folders in one step; False where that is not known."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    if libc.renameat2(AT_FDCWD, os.fsencode(a), AT_FDCWD, os.fsencode(b), RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL):
        return False
    raise OSError(code, os.strerror(code), str(a), None, str(b))


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, outlast a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
