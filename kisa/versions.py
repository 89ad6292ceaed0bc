"""Which code made a thing: what other code made is not gone on with."""

import hashlib
from pathlib import Path

import envs
import kisa
import medrl


def code_hash() -> str:
    """A hash of all source of kisa, envs and medrl."""
    digest = hashlib.blake2b(digest_size=8)
    for package in (kisa, envs, medrl):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
