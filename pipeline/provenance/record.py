"""Where, when and with what a run was made: a record beside it, since no output may
hold a time, a commit or a CPU.

A fingerprint says by a hash what a run was made of. A record keeps what the hash was
taken over, so that a diff of two records names the parameter, module, file or package.
Nothing here shapes a result.
"""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.errors import UnrollError, one_line
from pipeline.files import read_checked, write_json
from pipeline.provenance import fingerprint, machine
from pipeline.provenance.fingerprint import Ingredients
from pipeline.validation import Strict
from pipeline.workspace import Workspace

GIT = (
    "git",
    "--no-optional-locks",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
)
"""git as Unroll asks it: without a lock, and without hook and monitor of a repository,
which may be a stranger's."""


class Environment(Strict):
    """The place where a run is made.

    Attributes:
        unroll: its version, and the hash of its code (`fingerprint.package`); None in
            records of before.
        commit, dirty: of the code, and whether what shapes results differs from it;
            None outside git.
        platform: system, architecture and C library.
        features: those of `machine.FEATURES` that it has; only Linux tells.
        cores: as many as the system shows.
        variables: those of `machine.VARIABLES` that are set.
        packages: name -> version, as installed, of those in .ci/locks/numerics.lock.
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
    """An environment, and what is known once the run is made.

    Attributes:
        run: `fingerprint.folder` of the outputs, which ties the record to them.
        started: when the process began that finished the run; UTC, ISO 8601.
        ended: when the outputs were in place.
        params, files, modules, lock: as in `Ingredients`.
    """

    run: str
    started: str
    ended: str
    params: dict[str, Any]
    files: dict[str, str]
    modules: dict[str, str]
    lock: str


def write(workspace: Workspace, folder: Path, made_of: Ingredients) -> None:
    """Write the record of the run in `folder`, which this process has just made;
    failing that, one line of warning.
    """
    import psutil

    path = workspace.record(folder.parent.name, folder.name)
    try:
        started = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
        written = Record(
            **environment(workspace).model_dump(),
            **asdict(made_of),
            run=fingerprint.folder(folder),
            started=started.isoformat(timespec="seconds"),
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_json(path, written.model_dump())
    # A full disk, a folder without rights: the training counts all the same.
    except Exception as error:  # noqa: BLE001
        why = one_line(str(error)) or type(error).__name__
        sys.stderr.write(
            f"warning: no record of where {folder.name} was made: {why:.200}\n"
        )


def read(workspace: Workspace, dataset: str, experiment: str) -> Record:
    """Return the record of the run that is on disk.

    Raises:
        UnrollError: there is none, or it is damaged; the text says why.
    """
    path = workspace.record(dataset, experiment)
    if not path.is_file():
        raise UnrollError(
            "no record on this machine: taken from DVC's cache, or made elsewhere"
        )
    record = read_checked(path, Record)
    if record.run != fingerprint.folder(workspace.run(dataset, experiment)):
        raise UnrollError(
            "no record of this run: the one on this machine is of another, which DVC "
            "has replaced since"
        )
    return record


def seconds(workspace: Workspace, dataset: str, experiment: str) -> float | None:
    """Return how long the last training took; None if no record tells."""
    try:
        known = read_checked(workspace.record(dataset, experiment), Record)
        ended = datetime.fromisoformat(known.ended)
        return (ended - datetime.fromisoformat(known.started)).total_seconds()
    except (UnrollError, ValueError):
        return None


def environment(workspace: Workspace) -> Environment:
    """Describe where this process runs."""
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
        },
        packages=installed(locked()),
    )


def locked(lock: Path | None = None) -> dict[str, str]:
    """Return package -> version of a lock file, by default .ci/locks/numerics.lock."""
    if lock is None:
        lock = machine.repository(machine.CODE) / machine.NUMERICS
    text = lock.read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([\w.-]+)==([^\s;\\]+)", text))


def installed(names: Iterable[str]) -> dict[str, str]:
    """Return package -> version of those that are there; a lock has some for other
    systems.
    """
    versions = {}
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _revision(workspace: Workspace) -> tuple[str | None, bool | None]:
    """Return the commit of the code, and whether what shapes results differs from it;
    None without git, or in no checkout.

    What a build writes itself (dvc.lock, metrics) does not count as a difference.
    """
    if machine.repository(machine.CODE) != machine.CODE:
        # An installed package may lie in a repository of the user's, whose commits say
        # nothing about it.
        return None, None
    commit = _git(machine.CODE, "rev-parse", "HEAD")
    if not commit:
        return None, None
    status = ("status", "--porcelain", "--")
    code = _git(machine.CODE, *status, *machine.PACKAGES, machine.NUMERICS)
    params = _git(workspace.root, *status, "params.yaml")
    return commit, code != "" or params != ""


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says, None if it fails; print its reason, unless the folder is in
    no repository or there is no git.
    """
    try:
        done = subprocess.run(
            [*GIT, *arguments],
            cwd=folder,
            timeout=10,
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode == 0:
        return done.stdout.strip()
    if "not a git repository" not in done.stderr:
        sys.stderr.write(f"warning: no commit in the record: {one_line(done.stderr)}\n")
    return None
