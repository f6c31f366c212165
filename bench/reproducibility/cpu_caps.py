"""Environments in which libraries compute as they would on another processor."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pipeline.errors import UnrollError


@dataclass(frozen=True)
class Condition:
    """An environment to build in.

    Attributes:
        why: what it stands for, in a few words.
        variables: of the environment.
    """

    why: str
    variables: Mapping[str, str]


NEEDS = {"avx2", "fma"}
"""What a processor must have, for a cap to have an effect."""

BELOW = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4",
}

CONDITIONS = {
    "all_avx": Condition(
        "a processor with AVX, without AVX2 and FMA",
        {"XLA_FLAGS": "--xla_cpu_max_isa=AVX", "OPENBLAS_CORETYPE": "Sandybridge"} | BELOW,
    ),
    "all_sse4_2": Condition(
        "a processor without AVX", {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2", "OPENBLAS_CORETYPE": "Nehalem"} | BELOW
    ),
}
"""They change all that another processor may change, each in a way of its own."""


def require(features: Collection[str]) -> None:
    """Raises UnrollError if a processor with `features` cannot be brought into the conditions."""
    if not set(features) >= NEEDS:
        raise UnrollError(
            "no AVX2 and FMA here, as far as is known (only Linux tells), so this processor cannot be capped"
        )


def clear() -> None:
    """Take out of this process's environment what conditions set, so that a build without one is plain."""
    for condition in CONDITIONS.values():
        for name in condition.variables:
            os.environ.pop(name, None)
