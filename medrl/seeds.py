"""Randomness is an argument: every seed is derived from the run's seed and the thing it is for."""

import hashlib


def derive_seed(*parts: object) -> int:
    """A 31-bit seed from e.g. (run seed, question id, sample, turn); the same in every process and on every machine."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") & 0x7FFFFFFF
