"""The machine and the code that runs on it: processor, packages, commit. The only reader of /proc/cpuinfo."""

import os
import platform
import re
import subprocess
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

from pipeline.validation import Strict
from pipeline.workspace import Workspace

CODE = Path(__file__).resolve().parents[2]
"""The folder that holds `pipeline`, `stages` and numerics.lock."""

FEATURES = (
    *("sse4_2", "avx", "f16c", "avx2", "fma", "avx_vnni", "avx512f", "avx512dq", "avx512bw", "avx512vl"),
    *("avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8", "asimd", "sve"),
)
"""Instruction sets by which XLA, oneDNN, OpenBLAS and NumPy choose their code."""

VARIABLES = (
    *("XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE"),
    *("GLIBC_TUNABLES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)
"""Environment variables that may change the last bits of a result."""


class Machine(Strict):
    """Where a run is made.

    Attributes:
        commit: of the code; None outside git.
        dirty: whether what shapes results differs from that commit; None outside git.
        python: its version.
        platform: system, architecture and C library.
        cpu: its model.
        features: those of `FEATURES` that it has; only Linux tells.
        cores: as many as the system shows.
        variables: those of `VARIABLES` that are set.
        packages: name -> version, as installed, of those in numerics.lock.
    """

    commit: str | None
    dirty: bool | None
    python: str
    platform: str
    cpu: str
    features: list[str]
    cores: int
    variables: dict[str, str]
    packages: dict[str, str]


def here(workspace: Workspace) -> Machine:
    """The machine that this process runs on."""
    commit, dirty = _revision(workspace)
    return Machine(
        commit=commit,
        dirty=dirty,
        python=platform.python_version(),
        platform=" ".join((platform.system(), platform.machine(), *platform.libc_ver())).strip(),
        cpu=cpuinfo().get("model name") or platform.processor() or platform.machine(),
        features=[feature for feature in FEATURES if feature in flags()],
        cores=os.cpu_count() or 1,
        variables={name: os.environ[name] for name in VARIABLES if name in os.environ},
        packages=_packages(),
    )


@cache
def cpuinfo() -> dict[str, str]:
    """What Linux says of the first processor; nothing on other systems."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}


def flags() -> list[str]:
    """The processor's instruction sets, by the names that Linux gives them."""
    return cpuinfo().get("flags", cpuinfo().get("Features", "")).split()


def at_commit(workspace: Workspace, commit: str, name: str) -> str | None:
    """The text of a file of the workspace at a commit; None where git does not know it."""
    return _git(workspace.root, "show", f"{commit}:./{name}") if commit else None


def _packages() -> dict[str, str]:
    versions = {}
    for name in re.findall(r"^([\w.-]+)==", (CODE / "numerics.lock").read_text(encoding="utf-8"), re.MULTILINE):
        with suppress(metadata.PackageNotFoundError):  # it is for another system
            versions[name] = metadata.version(name)
    return versions


def _revision(workspace: Workspace) -> tuple[str | None, bool | None]:
    """The commit of the code, and whether what shapes results differs from it; None without git.

    What a build writes itself (dvc.lock, metrics) does not count as a difference.
    """
    commit = _git(CODE, "rev-parse", "HEAD")
    if not commit:
        return None, None
    changed = _git(CODE, "status", "--porcelain", "--", "pipeline", "stages", "numerics.lock") != ""
    return commit, changed or _git(workspace.root, "status", "--porcelain", "--", "params.yaml") != ""


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, None if it fails: there is none, or the folder is in no repository."""
    command = ["git", "--no-optional-locks", *arguments]
    try:
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip()
