"""The packages that compute, and what of this process is not as in their lock file."""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from pipeline.provenance import machine


def locked(lock: Path | None = None) -> dict[str, str]:
    """Return package -> version of a lock file, by default .ci/locks/numerics.lock."""
    if lock is None:
        lock = machine.repository(machine.CODE) / machine.NUMERICS
    text = lock.read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([\w.-]+)==([^\s;\\]+)", text))


def installed(names: Iterable[str]) -> dict[str, str]:
    """Return package -> version for the given packages that are installed.

    A lock file also names packages for other systems.
    """
    versions = {}
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def differing(lock: Path) -> dict[str, str]:
    """Return package -> installed version, for the packages that differ from a lock
    file.
    """
    versions = locked(lock)
    return {
        name: version
        for name, version in installed(versions).items()
        if version != versions[name]
    }


def kept() -> dict[str, str]:
    """Return the environment variables that the user keeps on purpose, with values.

    Without them, each process has the same settings of the libraries.
    """
    names = os.environ.get(machine.KEEP, "").split(",")
    return {name: os.environ[name] for name in sorted(names) if name in os.environ}
