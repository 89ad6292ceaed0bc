"""Folders that appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def build_once(folder: Path, write: Callable[[Path], None]) -> Path:
    """`folder`, built by `write` if it is not there yet.

    `write` fills a temporary folder beside it, which is then renamed: a crash leaves nothing, and of several processes
    that build at once the first to finish wins.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        write(partial)
        partial.chmod(0o755)
        try:
            os.rename(partial, folder)
        except OSError:
            if not folder.is_dir():  # another process finished first: its folder is the same
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
