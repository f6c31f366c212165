"""Records of runs: where, when and with what each run was made.

A record lies beside the run, since no output may hold a time, a commit or a CPU. A
fingerprint is a hash of a run's ingredients. A record keeps the ingredients themselves,
so a diff of two records names the parameter, module, file or package that differs.
Records change no result.
"""

import os
import platform
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import UnrollError, one_line
from pipeline.files import read_checked, write_json
from pipeline.provenance import fingerprint, machine, places
from pipeline.provenance.fingerprint import Ingredients
from pipeline.provenance.git import git
from pipeline.provenance.machine import installed, kept, locked
from pipeline.validation import Strict
from pipeline.workspace import Workspace


class Environment(Strict):
    """The environment in which a run is made.

    Attributes:
        unroll: the version and a hash of Unroll's code (`fingerprint.package`); None in
            old records.
        commit: the commit of the code; None outside git.
        dirty: whether code or params.yaml differ from the commit; None outside git.
        python: the version of Python.
        platform: system, architecture and C library.
        cpu: the model of the processor.
        features: the processor's instruction sets among `machine.FEATURES`; empty on
            other systems than Linux.
        cores: the number of cores.
        variables: environment variables among `machine.VARIABLES` that are set, and
            those that the user keeps.
        packages: package of locks/numerics.lock -> installed version.
    """

    unroll: str | None = None
    commit: str | None
    dirty: bool | None
    python: str
    platform: str
    cpu: str
    features: list[str]
    cores: int
    variables: dict[str, str]
    packages: dict[str, str]


class Record(Environment):
    """An environment, and the run that was made in it.

    Attributes:
        run: `fingerprint.folder` of the run's outputs.
        started: when the process that finished the run began; UTC, ISO 8601.
        ended: when the outputs were complete; UTC, ISO 8601.
        cpu_seconds: the CPU time of that process; None in old records.
        params, files, modules, lock: as in `Ingredients`.
    """

    run: str
    started: str
    ended: str
    cpu_seconds: float | None = None
    params: dict[str, Any]
    files: dict[str, str]
    modules: dict[str, str]
    lock: str

    @property
    def seconds(self) -> float:
        """The seconds by the clock. Raises ValueError if a time was edited."""
        started = datetime.fromisoformat(self.started)
        return (datetime.fromisoformat(self.ended) - started).total_seconds()


def write(workspace: Workspace, path: Path, folder: Path, made_of: Ingredients) -> None:
    """Write the record of the run in `folder`, which this process has just made.

    If the record cannot be written, print a warning.
    """
    import psutil

    try:
        started = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
        written = Record(
            **environment(workspace).model_dump(),
            **asdict(made_of),
            run=fingerprint.folder(folder),
            started=started.isoformat(timespec="seconds"),
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            cpu_seconds=round(time.process_time(), 1),
        )
        write_json(path, written.model_dump())
    # For example a full disk or a read-only folder: the training counts all the same.
    except Exception as error:  # noqa: BLE001
        why = one_line(str(error)) or type(error).__name__
        sys.stderr.write(f"warning: no record of where {folder} was made: {why:.200}\n")


def read(path: Path, run: str) -> Record:
    """Return the record of a run.

    Args:
        path: the file of the record.
        run: `fingerprint.folder` of the run.

    Raises:
        UnrollError: the run has no record here, or the record is damaged.
    """
    if not path.is_file():
        raise UnrollError(
            "no record on this machine: taken from DVC's cache, or made elsewhere"
        )
    record = read_checked(path, Record)
    if record.run != run:
        raise UnrollError(
            "no record of this run: the one on this machine is of another, which DVC "
            "has replaced since"
        )
    return record


def seconds(workspace: Workspace, dataset: str, experiment: str) -> float | None:
    """Return how long the last training took; None without a record."""
    try:
        return read_checked(workspace.record(dataset, experiment), Record).seconds
    except (UnrollError, ValueError):
        return None


def environment(workspace: Workspace) -> Environment:
    """Return the environment of this process."""
    commit, dirty = _revision(workspace)
    system = (platform.system(), platform.machine(), *platform.libc_ver())
    cpu = machine.cpuinfo().get("model name") or platform.processor()
    flags = machine.flags()
    return Environment(
        unroll=fingerprint.package(),
        commit=commit,
        dirty=dirty,
        python=platform.python_version(),
        platform=" ".join(system).strip(),
        cpu=cpu or platform.machine(),
        features=[feature for feature in machine.FEATURES if feature in flags],
        cores=os.cpu_count() or 1,
        variables={
            name: os.environ[name] for name in machine.VARIABLES if name in os.environ
        }
        | kept(),
        packages=installed(locked()),
    )


def _revision(workspace: Workspace) -> tuple[str | None, bool | None]:
    """Return the commit of the code, and whether code or params.yaml differ from it.

    Both are None without git or outside a checkout. Files that a build writes
    (dvc.lock, metrics) do not count as differences.
    """
    if places.project_of(places.CODE) != places.CODE:
        # An installed package may lie in a repository of the user, whose commits do not
        # concern it.
        return None, None
    commit = _git(places.CODE, "rev-parse", "HEAD")
    if not commit:
        return None, None
    status = ("status", "--porcelain", "--")
    code = _git(places.CODE, *status, *places.PACKAGES, places.NUMERICS)
    params = _git(workspace.root, *status, "params.yaml")
    return commit, code != "" or params != ""


def _git(folder: Path, *arguments: str) -> str | None:
    """Return git's output; None if git fails.

    Print git's reason, unless the folder is in no repository or git is missing.
    """
    try:
        return git(folder, *arguments).strip()
    except UnrollError as error:
        reason = str(error)
    if "not a git repository" not in reason and "not on PATH" not in reason:
        sys.stderr.write(f"warning: no commit in the record: {reason}\n")
    return None
