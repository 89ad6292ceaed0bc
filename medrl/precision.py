"""In which floating-point type this machine multiplies fast."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

Precision = Literal["bfloat16", "float32"]

_CPUINFO = Path("/proc/cpuinfo")
#: What the kernel calls instructions that multiply bfloat16: AVX-512 and AMX, and Arm's.
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}


def fast_precision(device: str) -> Precision:
    """bfloat16 on GPUs and on processors with instructions for it, else float32.

    Without them a product of bfloat16 matrices takes six times as long as one of float32, and more (docs/log.md).
    """
    return "bfloat16" if device == "cuda" or _processor_flags() & _BFLOAT16 else "float32"


@lru_cache(maxsize=1)
def _processor_flags() -> frozenset[str]:
    """Of the first processor; none where there is no such file, as on macOS."""
    if not _CPUINFO.exists():
        return frozenset()
    return flags(_CPUINFO.read_text(encoding="utf-8", errors="replace"))


def flags(cpuinfo: str) -> frozenset[str]:
    """What a processor can do, from the text of /proc/cpuinfo: `flags`, or on Arm `Features`, of the first one."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return frozenset(value.split())
    return frozenset()
