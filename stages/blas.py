"""The same kernels of OpenBLAS on every processor that can run them (docs/decisions/bits.md)."""

import os

KERNELS = "Haswell"
"""AVX2 and FMA, which each x86 processor since about 2015 has."""


def pin(cpuinfo: str = "/proc/cpuinfo") -> None:
    """Choose OpenBLAS's kernels, unless the user did; before NumPy is imported, or it has no effect.

    By itself OpenBLAS takes those made for the processor, and each kind has last bits of its own. It does not ask
    whether a processor can run what is named here, so that is asked first; only Linux tells.

    Args:
        cpuinfo: where Linux tells.
    """
    if "OPENBLAS_CORETYPE" in os.environ:
        return
    try:
        with open(cpuinfo, encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes 5 ms
            flags = next((line.split() for line in file if line.startswith("flags")), [])
    except OSError:
        return
    if {"avx2", "fma"} <= set(flags):
        os.environ["OPENBLAS_CORETYPE"] = KERNELS
