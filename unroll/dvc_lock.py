"""DVC's file with the hashes of each stage's inputs and outputs."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipeline.config import plain_yaml
from pipeline.errors import UsageError

LOCK = "dvc.lock"
"""The name of the file."""


class File(BaseModel, extra="allow"):
    """The schema of a file or folder of a stage in dvc.lock; DVC writes its size, too."""

    path: str
    md5: str | None = None


class Entry(BaseModel):
    """The schema of a stage in dvc.lock."""

    cmd: str
    deps: list[File] = []
    params: dict[str, dict[str, Any]] = {}
    outs: list[File] = []


def locked(lock: Path) -> dict[str, Entry]:
    """Return stage -> its entry in a dvc.lock; none if it is damaged or cut off."""
    try:
        entries = TypeAdapter(dict[str, Entry]).validate_python(
            plain_yaml.read(lock)["stages"]
        )
    except (UsageError, ValidationError, KeyError, TypeError):
        return {}
    return entries if lock.read_bytes().endswith(b"\n") else {}
