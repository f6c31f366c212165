"""This machine: its processor, its packages and its environment variables.

Each process of `unroll` imports this module first, so it imports nothing slow.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from pipeline.provenance.places import CODE, NUMERICS, project_of

FEATURES = (
    "sse4_2",
    "avx",
    "f16c",
    "avx2",
    "fma",
    "avx_vnni",
    "avx512f",
    "avx512dq",
    "avx512bw",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "sve",
)
"""Instruction sets that decide which code XLA, oneDNN, OpenBLAS and NumPy run."""

KEEP = "UNROLL_KEEP"
"""The variable that lists, with commas, the user's variables to keep on purpose."""

VARIABLES = (
    "XLA_FLAGS",
    "TF_ENABLE_ONEDNN_OPTS",
    "ONEDNN_MAX_CPU_ISA",
    "NPY_DISABLE_CPU_FEATURES",
    "OPENBLAS_CORETYPE",
    "GLIBC_TUNABLES",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
"""Environment variables that may change the last bits of a result."""


@cache
def cpuinfo() -> dict[str, str]:
    """Return the first entry of Linux's /proc/cpuinfo; empty on other systems."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    return {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in first.splitlines())
    }


def has_avx2() -> bool:
    """Return whether the processor has AVX2 and FMA, from which on bytes are equal."""
    return {"avx2", "fma"} <= set(flags())


def flags() -> list[str]:
    """Return the names of the processor's instruction sets, as Linux lists them."""
    return cpuinfo().get("flags", cpuinfo().get("Features", "")).split()


def locked(lock: Path | None = None) -> dict[str, str]:
    """Return package -> version of a lock file, by default locks/numerics.lock."""
    if lock is None:
        lock = project_of(CODE) / NUMERICS
    text = lock.read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([\w.-]+)==([^\s;\\]+)", text))


def installed(names: Iterable[str]) -> dict[str, str]:
    """Return package -> version for the given packages that are installed.

    A lock file also names packages for other systems.
    """
    # It imports much that a file of the user could hide (`unroll.__main__`).
    from importlib import metadata

    versions = {}
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def unlocked(lock: Path | None = None) -> dict[str, str]:
    """Return package -> installed version, where a lock file has another version."""
    versions = locked(lock)
    here = installed(versions)
    return {name: here[name] for name in here if here[name] != versions[name]}


def kept() -> dict[str, str]:
    """Return the environment variables that the user keeps on purpose, with values.

    Without them, each process has the same settings of the libraries.
    """
    names = os.environ.get(KEEP, "").split(",")
    return {name: os.environ[name] for name in sorted(names) if name in os.environ}
