"""Where, when and with what a run was made: a record beside it, since no output may hold a time, a commit or a CPU.

A fingerprint (`pipeline.fingerprint`) says by a hash what a run was made of. A record keeps what the hash was taken
over, so that `unroll diff` can name the parameter, module, file or package. Nothing here shapes a result.
"""

import hashlib
import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pydantic

from pipeline import fingerprint
from pipeline import params as parameters
from pipeline.errors import UnrollError
from pipeline.params import Experiment
from pipeline.storage import Workspace, read_json, sha256, write_json

CODE = Path(__file__).resolve().parents[1]
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


class Origin(pydantic.BaseModel, frozen=True, extra="forbid"):
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
    """

    commit: str | None
    dirty: bool | None
    python: str
    platform: str
    cpu: str
    features: list[str]
    cores: int
    variables: dict[str, str]


class Record(Origin, frozen=True):
    """An origin, and what is known once the run is made.

    What was edited while it was made is None: it is no longer what the run's fingerprint was taken over.

    Attributes:
        run: `fingerprint.run` of the outputs, which ties the record to them.
        started: when the process began that finished the run; UTC, ISO 8601.
        ended: when the outputs were in place.
        packages: name -> version, as installed, of those in numerics.lock.
        params: the experiment's section of params.yaml.
        modules: name -> SHA-256 of its source text.
        files: name -> SHA-256, of the prepared data set.
    """

    run: str
    started: str
    ended: str
    packages: dict[str, str]
    params: dict[str, Any] | None
    modules: dict[str, str] | None
    files: dict[str, str] | None


def write(workspace: Workspace, dataset: str, experiment: str) -> None:
    """Write the record of the run that this process has just made; if that fails, one line of warning says so."""
    try:
        write_json(workspace.record(dataset, experiment), _record(workspace, dataset, experiment).model_dump())
    except Exception as error:  # noqa: BLE001 - sources edited meanwhile, a full disk: the training counts all the same
        said = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"warning: no record of where {experiment} was made: {said:.200}\n")


def read(workspace: Workspace, dataset: str, experiment: str) -> Record:
    """The record of the run that is on disk.

    Raises:
        UnrollError: there is none, or it is damaged; the text says why.
    """
    path = workspace.record(dataset, experiment)
    if not path.is_file():
        raise UnrollError("no record on this machine: taken from DVC's cache, or made elsewhere")
    try:
        record = Record.model_validate(read_json(path))
    except pydantic.ValidationError:
        raise UnrollError(f"{path} is damaged; delete it") from None
    if record.run != fingerprint.run(workspace.run(dataset, experiment)):
        raise UnrollError("no record of this run: the one on this machine is of another, which DVC has replaced since")
    return record


def origin(workspace: Workspace) -> Origin:
    """Where this process runs."""
    commit, dirty = revision(workspace)
    cpu, features = _cpu()
    return Origin(
        commit=commit,
        dirty=dirty,
        python=platform.python_version(),
        platform=" ".join((platform.system(), platform.machine(), *platform.libc_ver())).strip(),
        cpu=cpu,
        features=features,
        cores=os.cpu_count() or 1,
        variables={name: os.environ[name] for name in VARIABLES if name in os.environ},
    )


def revision(workspace: Workspace) -> tuple[str | None, bool | None]:
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


def _cpu() -> tuple[str, list[str]]:
    facts: dict[str, str] = {}
    with suppress(OSError):
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
        facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
    flags = facts.get("flags", facts.get("Features", "")).split()
    model = facts.get("model name") or platform.processor() or platform.machine()
    return model, [feature for feature in FEATURES if feature in flags]


def _record(workspace: Workspace, dataset: str, experiment: str) -> Record:
    import psutil

    folder, prepared = workspace.run(dataset, experiment), workspace.prepared(dataset)
    parts = read_json(folder / "run.json")["fingerprint"]
    section = parameters.load(workspace.params).experiment(experiment)
    started = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
    return Record(
        **origin(workspace).model_dump(),
        run=fingerprint.run(folder),
        started=started.isoformat(timespec="seconds"),
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
        packages=packages(),
        params=section.model_dump() if fingerprint.params(section.model_dump()) == parts["params"] else None,
        modules=_modules(section) if fingerprint.code(_used(section)) == parts["code"] else None,
        files=_files(prepared) if fingerprint.data(prepared) == parts["data"] else None,
    )


def packages() -> dict[str, str]:
    """Name -> version, as installed, of what numerics.lock names."""
    versions = {}
    for name in re.findall(r"^([\w.-]+)==", (CODE / "numerics.lock").read_text(encoding="utf-8"), re.MULTILINE):
        with suppress(metadata.PackageNotFoundError):  # it is for another system
            versions[name] = metadata.version(name)
    return versions


def _used(experiment: Experiment) -> tuple[str, str]:
    return f"pipeline.models.{experiment.model.family}", f"pipeline.training.{experiment.training.method}"


def _modules(experiment: Experiment) -> dict[str, str]:
    paths = fingerprint.sources(_used(experiment))
    return {name: hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest() for name, path in paths.items()}


def _files(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in paths}
