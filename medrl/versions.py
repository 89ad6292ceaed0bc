"""Which code made a thing: what other code made is made anew, and not gone on with."""

import hashlib
from importlib.util import find_spec
from pathlib import Path


def source_digest(*names: str) -> str:
    """A hash of the source of modules, by name; of a package, all that is below it."""
    digest = hashlib.blake2b(digest_size=8)
    for name in names:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ValueError(f"{name}: no module with source")
        origin = Path(spec.origin)
        below = sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
        for path in below:
            digest.update(f"{name} {path.relative_to(origin.parent)}\n".encode() + path.read_bytes())
    return digest.hexdigest()
