"""Settings of a process that change the last bits of results, or keep libraries quiet.

This module imports neither NumPy nor TensorFlow.
"""

import os
import re
import sys
from pathlib import Path

from pipeline.provenance import machine, places

SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
    # Keras reads or writes keras.json in this folder at import. A folder that cannot
    # exist prevents both.
    "KERAS_HOME": f"{os.devnull}/keras",
    # Every heavy step is an XLA program, which does not use oneDNN; without it
    # TensorFlow starts without a notice.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # XLA still hands some products to a kernel of oneDNN, which takes other code with
    # AVX-512.
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    # A GPU computes other last bits, and results claim those of the processor.
    "CUDA_VISIBLE_DEVICES": "-1",
}

FROM_START = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""Variables that count only if a process starts with them.

Huge pages (glibc 2.35) help, since the loops walk through tens of megabytes."""

CAP = "--xla_cpu_max_isa=AVX2"

XLA_FLAGS = (
    # LLVM's level 1: programs run as fast as with level 3, and compile in two thirds
    # of the time.
    "--xla_backend_optimization_level=1",
    # YNNPACK, which computes other products, then adds in one order on every x86
    # processor.
    "--xla_cpu_enable_platform_dependent_math=false",
    CAP,
)
"""Flags of XLA. The last two give networks the same bits with AVX-512 and without it
(docs/decisions/bits.md)."""

KERNELS = "Haswell"
"""OpenBLAS's kernels with AVX2 and FMA. Each x86 processor since about 2015 has both.
"""


OF_LIBRARIES = re.compile(
    r"(?!.*_THREADS$|TF_(VAR|TOKEN|CLI|HTTP|LOG|WORKSPACE|INPUT|IN_AUTO|PLUGIN|REGISTRY|STATE|IGNORE))"
    r"((KERAS|TF|XLA|ONEDNN|DNNL|OPENBLAS|NPY|NUMPY|PANDAS|SCIPY|SKLEARN)_"
    r"|CUDA_VISIBLE_DEVICES$)"
)
"""The names of the environment variables that the libraries read.

Numbers of threads are left out, since bits do not depend on them. Variables of
Terraform are left out, too: their names begin like TensorFlow's, and some are secrets.
"""

ignored: dict[str, str] = {}
"""The variables that `set_environment` has removed from this process's environment."""


def set_environment() -> None:
    """Set the environment variables of the libraries, and put the user's aside.

    The settings count only for libraries that are imported later. By default OpenBLAS
    takes kernels made for the processor, and each kind gives other last bits
    (docs/decisions/bits.md). OpenBLAS does not check whether the processor can run the
    kernels that we name, so this function checks first.
    """
    kept = os.environ.keys() & os.environ.get(machine.KEEP, "").split(",")
    capable = machine.has_avx2()
    settings = dict(SETTINGS)
    if capable:
        settings["OPENBLAS_CORETYPE"] = KERNELS
    settings = {name: value for name, value in settings.items() if name not in kept}
    settings["XLA_FLAGS"] = _xla_flags(kept, capable=capable)
    _put_users_aside(kept, settings)
    os.environ.update(settings)


def _xla_flags(kept: set[str], *, capable: bool) -> str:
    """Return the flags of XLA: the user's, if they are kept, and then ours.

    A flag that the user has set keeps the user's value.

    Args:
        kept: the names of the user's variables that stay.
        capable: whether the processor has AVX2.
    """
    flags = []
    if "XLA_FLAGS" in kept:
        flags = os.environ["XLA_FLAGS"].split()
    users_names = {flag.partition("=")[0] for flag in flags}
    for flag in XLA_FLAGS:
        own = flag.partition("=")[0] not in users_names
        if own and (capable or flag != CAP):
            flags.append(flag)
    return " ".join(flags)


def _put_users_aside(kept: set[str], settings: dict[str, str]) -> None:
    """Remove the user's variables of the libraries, except those that are kept.

    Those whose value differs from that of `settings` are noted in `ignored`.
    """
    users_names = [name for name in os.environ if OF_LIBRARIES.match(name)]
    for name in users_names:
        if name in kept:
            continue
        value = os.environ.pop(name)
        if value != settings.get(name):
            ignored[name] = value


def keras_file() -> Path:
    """Return the settings file of the user's Keras, which Unroll ignores."""
    return Path(ignored.get("KERAS_HOME", "~/.keras"), "keras.json")


def _named_paths() -> list[Path]:
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [Path(path).absolute() for path in named if path]


def foreign_paths() -> list[str]:
    """Return the folders that PYTHONPATH names, without the folder of this code."""
    return [str(path) for path in _named_paths() if path.resolve() != places.CODE]


def python_path() -> dict[str, str]:
    """Return PYTHONPATH without `foreign_paths`, as an environment.

    It is for a process of ours that imports libraries before it can put these folders
    last.
    """
    own = [str(path) for path in _named_paths() if path.resolve() == places.CODE]
    return {"PYTHONPATH": os.pathsep.join(own)}


def settings_from_start() -> dict[str, str]:
    """Return `FROM_START`, with the user's value where the user has set one."""
    return {name: os.environ.get(name, value) for name, value in FROM_START.items()}


def restart_with_settings() -> None:
    """Restart this process if its environment lacks `FROM_START` (Linux only).

    The restart takes a hundredth of a second.
    """
    if sys.platform == "linux" and not FROM_START.keys() <= os.environ.keys():
        os.execve(  # noqa: S606
            sys.executable,
            [sys.executable, *sys.orig_argv[1:]],
            {**os.environ, **settings_from_start()},
        )
