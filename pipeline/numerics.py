"""Settings of a process that last bits depend on, or that keep libraries quiet. Light:
no NumPy, no TensorFlow.
"""

import os
import re
import sys
from pathlib import Path

from pipeline.provenance import machine

SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
    # Keras reads keras.json from there when it is imported, or writes one; in a folder
    # that cannot be it does neither.
    "KERAS_HOME": f"{os.devnull}/keras",
    # Every heavy step is an XLA program, which does not use oneDNN; without it
    # TensorFlow starts without a notice.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # XLA hands some products to a kernel of oneDNN's all the same, which takes other
    # code with AVX-512.
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}

FROM_START = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""What counts only if a process starts with it. Huge pages (glibc 2.35): the loops walk
through tens of megabytes."""

CAP = "--xla_cpu_max_isa=AVX2"

XLA_FLAGS = (
    # Of LLVM: programs run as fast as with the third level and are compiled in two
    # thirds of the time.
    "--xla_backend_optimization_level=1",
    # YNNPACK, which does other products, then adds up in one order on every x86
    # processor.
    "--xla_cpu_enable_platform_dependent_math=false",
    CAP,
)
"""With the last two, networks have the same bits with AVX-512 and without it
(docs/decisions/bits.md)."""

KERNELS = "Haswell"
"""OpenBLAS's kernels with AVX2 and FMA, which each x86 processor since about 2015 has.
"""


OF_LIBRARIES = re.compile(
    r"(?!.*_THREADS$|TF_(VAR|TOKEN|CLI|HTTP|LOG|WORKSPACE|INPUT|IN_AUTO|PLUGIN|REGISTRY|STATE|IGNORE))"
    r"(KERAS|TF|XLA|ONEDNN|DNNL|OPENBLAS|NPY|NUMPY|PANDAS|SCIPY|SKLEARN)_"
)
"""The names of variables that the libraries read; but bits do not depend on how many
threads they may use, and those of Terraform's begin alike, with secrets among them."""

KEEP = "UNROLL_KEEP"
"""The variable that names those of the user's that are to count, with commas between
them, as on purpose they may."""

ignored: dict[str, str] = {}
"""What `settle` has found in this process's environment, and put aside."""


def settle() -> None:
    """Make the settings and put the user's aside; they count for what is imported after
    this.

    By itself OpenBLAS takes the kernels made for the processor, and each kind has last
    bits of its own (docs/decisions/bits.md). It does not ask whether a processor can
    run what is named here, so that is asked first.
    """
    kept = os.environ.keys() & os.environ.get(KEEP, "").split(",")
    capable = {"avx2", "fma"} <= set(machine.flags())
    users = os.environ["XLA_FLAGS"].split() if "XLA_FLAGS" in kept else []
    ours = [
        flag
        for flag in XLA_FLAGS
        if flag.partition("=")[0] not in " ".join(users) and (capable or flag != CAP)
    ]
    settings = SETTINGS | ({"OPENBLAS_CORETYPE": KERNELS} if capable else {})
    settings = {name: value for name, value in settings.items() if name not in kept}
    settings["XLA_FLAGS"] = " ".join([*users, *ours])
    for name in [
        name for name in os.environ if OF_LIBRARIES.match(name) and name not in kept
    ]:
        value = os.environ.pop(name)
        if value != settings.get(name):
            ignored[name] = value
    os.environ.update(settings)


def keras_file() -> Path:
    """The settings of the user's Keras, which are not read."""
    return Path(ignored.get("KERAS_HOME", "~/.keras"), "keras.json")


def foreign_paths() -> list[str]:
    """The folders that PYTHONPATH names, but for that of this code."""
    paths = [
        Path(path).absolute()
        for path in os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if path
    ]
    return [str(path) for path in paths if path.resolve() != machine.CODE]


def python_path() -> dict[str, str]:
    """PYTHONPATH for a process of ours that imports libraries before it can put
    `foreign_paths` last.
    """
    foreign = foreign_paths()
    named = [
        str(Path(path).absolute())
        for path in os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if path
    ]
    return {
        "PYTHONPATH": os.pathsep.join(path for path in named if path not in foreign)
    }


def from_start() -> dict[str, str]:
    """`FROM_START`, but for what the user has set."""
    return {name: os.environ.get(name, value) for name, value in FROM_START.items()}


def start_with() -> None:
    """Start this process anew with `FROM_START`, where it has not got it; a hundredth
    of a second.
    """
    if sys.platform == "linux" and not FROM_START.keys() <= os.environ.keys():
        os.execve(  # noqa: S606
            sys.executable,
            [sys.executable, *sys.orig_argv[1:]],
            {**os.environ, **from_start()},
        )
