"""Where a run is made: machine, packages, and the commit of the code."""

import os
import platform
import re
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from pipeline.provenance import machine
from pipeline.validation import Strict
from pipeline.workspace import Workspace

GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
"""git as Unroll asks it: without a lock, and without hook and monitor of a repository, which may be a stranger's."""


class Environment(Strict):
    """Where a run is made.

    Attributes:
        commit, dirty: of the code, and whether what shapes results differs from it; None outside git.
        platform: system, architecture and C library.
        features: those of `machine.FEATURES` that it has; only Linux tells.
        cores: as many as the system shows.
        variables: those of `machine.VARIABLES` that are set.
        packages: name -> version, as installed, of those in .ci/locks/numerics.lock.
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


def here(workspace: Workspace) -> Environment:
    """That of this process."""
    commit, dirty = _revision(workspace)
    return Environment(
        commit=commit,
        dirty=dirty,
        python=platform.python_version(),
        platform=" ".join((platform.system(), platform.machine(), *platform.libc_ver())).strip(),
        cpu=machine.cpuinfo().get("model name") or platform.processor() or platform.machine(),
        features=[feature for feature in machine.FEATURES if feature in machine.flags()],
        cores=os.cpu_count() or 1,
        variables={name: os.environ[name] for name in machine.VARIABLES if name in os.environ},
        packages=_packages(),
    )


def locked() -> dict[str, str]:
    """What .ci/locks/numerics.lock says: package -> version."""
    text = (machine.CODE / ".ci/locks/numerics.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", text))


def _packages() -> dict[str, str]:
    versions = {}
    for name in locked():
        with suppress(metadata.PackageNotFoundError):  # it is for another system
            versions[name] = metadata.version(name)
    return versions


def _revision(workspace: Workspace) -> tuple[str | None, bool | None]:
    """The commit of the code, and whether what shapes results differs from it; None without git.

    What a build writes itself (dvc.lock, metrics) does not count as a difference.
    """
    commit = _git(machine.CODE, "rev-parse", "HEAD")
    if not commit:
        return None, None
    changed = _git(machine.CODE, "status", "--porcelain", "--", *machine.PACKAGES, ".ci/locks/numerics.lock") != ""
    return commit, changed or _git(workspace.root, "status", "--porcelain", "--", "params.yaml") != ""


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, None if it fails: there is none, or the folder is in no repository."""
    try:
        said = subprocess.run([*GIT, *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip()
