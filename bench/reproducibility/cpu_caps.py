"""Environments in which libraries compute as they would on another processor."""

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.errors import UnrollError


@dataclass(frozen=True)
class Condition:
    """An environment to build in.

    Attributes:
        why: what it stands for, in a few words.
        variables: of the environment.
        needs: what the processor must have, by the names of `pipeline.provenance.machine.FEATURES`; a cap needs what
            it leaves, and something above it to have an effect.
        emulated: a processor that every stage runs on, by the name that QEMU has for it.
    """

    why: str
    variables: Mapping[str, str] = field(default_factory=dict)
    needs: Sequence[str] = field(default=("avx2", "fma"))
    emulated: str = ""


EMULATOR = "qemu-x86_64"
"""QEMU for a single program: `apt install qemu-user`. It has no AVX-512, whatever it is told to be."""


AVX512 = ("avx512f", "avx512vl")
NO_AVX512 = {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"}
NO_AVX2 = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"}
NO_FMA = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4"}

CONDITIONS = {
    "emulated_amd": Condition("an emulated AMD EPYC Milan, without AVX-512", emulated="EPYC-Milan"),
    "emulated_intel": Condition("an emulated Intel Haswell, without AVX-512", emulated="Haswell"),
    "uncapped": Condition(
        "XLA and oneDNN as they choose with AVX-512",
        {
            "XLA_FLAGS": "--xla_cpu_max_isa= --xla_cpu_enable_platform_dependent_math=true",
            "ONEDNN_MAX_CPU_ISA": "ALL",
        },
        AVX512,
    ),
    "xla_avx": Condition("XLA without AVX2 and FMA", {"XLA_FLAGS": "--xla_cpu_max_isa=AVX"}),
    "xla_sse4_2": Condition("XLA without AVX", {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"}),
    "onednn": Condition("oneDNN on", {"TF_ENABLE_ONEDNN_OPTS": "1"}),
    "numpy_avx2": Condition("NumPy without AVX-512", NO_AVX512, AVX512),
    "numpy_sse4_2": Condition("NumPy without AVX", NO_AVX2),
    "openblas_zen": Condition("OpenBLAS as on an AMD Zen", {"OPENBLAS_CORETYPE": "Zen"}),
    "openblas_skylakex": Condition("OpenBLAS as it chooses with AVX-512", {"OPENBLAS_CORETYPE": "SkylakeX"}, AVX512),
    "openblas_nehalem": Condition("OpenBLAS without AVX", {"OPENBLAS_CORETYPE": "Nehalem"}),
    "libc_without_fma": Condition("the C library without FMA", NO_FMA),
    "one_thread": Condition(
        "one thread asked for", {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    ),
    "two_threads": Condition(
        "two threads asked for", {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "TF_NUM_INTRAOP_THREADS": "2"}
    ),
    "all_avx": Condition(
        "a processor with AVX, without AVX2 and FMA",
        {"XLA_FLAGS": "--xla_cpu_max_isa=AVX", "OPENBLAS_CORETYPE": "Sandybridge"} | NO_AVX2 | NO_FMA,
    ),
    "all_sse4_2": Condition(
        "a processor without AVX",
        {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2", "OPENBLAS_CORETYPE": "Nehalem"} | NO_AVX2 | NO_FMA,
    ),
}

MEASURED = ("all_avx", "all_sse4_2")
"""Under which tolerances are measured: they change all that any condition changes, each in a way of its own."""


def possible(features: Collection[str]) -> dict[str, Condition]:
    """The conditions that a processor with `features` can be brought into, those with an emulator where there is one.

    Raises:
        UnrollError: there is none.
    """
    emulator = bool(shutil.which(EMULATOR))
    found = {
        name: condition
        for name, condition in CONDITIONS.items()
        if set(features).issuperset(condition.needs) and (emulator or not condition.emulated)
    }
    if not found:
        raise UnrollError("what this processor can do is not known (only Linux tells), so it cannot be capped")
    return found


def clear() -> None:
    """Take out of this process's environment what conditions set, so that a build without one is plain."""
    for condition in CONDITIONS.values():
        for name in condition.variables:
            os.environ.pop(name, None)
