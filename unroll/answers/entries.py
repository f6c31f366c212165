"""The section `series` of params.yaml: a user's own series in a project under DVC."""

import os
import shutil
from pathlib import Path

from pipeline import locks
from pipeline.config import plain_yaml
from pipeline.errors import UnrollError, UsageError
from pipeline.files import write_text
from pipeline.validation import one_of, utf_8, validated
from pipeline.workspace import Workspace
from series import FILE
from series.options import Options

SECTION = "series"
"""The section of params.yaml."""

ANSWERS = "answers"
"""The folder of a project that holds the answers, each in a folder of its name."""

ENDS = {".csv", ".parquet", ".tsv", ".txt"}
"""Suffixes of files of rows in a folder."""


class Entry(Options):
    """An entry of the section `series` of params.yaml.

    Attributes:
        file: the path of a CSV or Parquet file from params.yaml's folder, or of a
            folder of files of one form.
    """

    file: str


def load(workspace: Workspace) -> dict[str, Entry]:
    """Read the series of params.yaml; none where there is no such file or section.

    Raises:
        UsageError: an entry is wrong; the text names its place.
    """
    if not workspace.params.is_file():
        return {}
    sections = plain_yaml.read(workspace.params)
    entries = {}
    for name, data in (sections.get(SECTION) or {}).items():
        entries[name] = validated(
            Entry, data, workspace.params.name, f"{SECTION}.{name}"
        )
    return entries


def files(workspace: Workspace, entry: Entry) -> list[Path]:
    """Return the files of an entry, as they are now.

    Raises:
        UnrollError: there is no file.
    """
    path = workspace.root / entry.file
    found = [path]
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDS)
    if not found or not found[0].is_file():
        raise UnrollError(
            f"{path} is no file of rows, nor a folder of such files; put rows there"
        )
    return found


def folder(workspace: Workspace, name: str) -> Path:
    """Return the folder of a series' answer in a project."""
    return workspace.root / ANSWERS / name


def cache(workspace: Workspace, name: str) -> Path:
    """Return the folder for finished parts of an answer.

    DVC removes the answer's own folder before a stage runs.
    """
    return workspace.scratch / ANSWERS / name


def add(workspace: Workspace, name: str, path: Path, options: Options) -> None:
    """Write a new entry to params.yaml; all else in the file stays.

    Raises:
        UsageError: there is an entry of this name.
        UnrollError: there is no params.yaml.
    """
    path = path.resolve()
    if path.is_relative_to(workspace.root.parent):  # so that both can be moved together
        path = Path(os.path.relpath(path, workspace.root))
    data = {"file": utf_8(path.as_posix()), **options.given}
    comment = "Added by `unroll add`; every value can be edited here."
    busy = f"another `unroll add` writes {workspace.params}; wait until it has ended"
    with locks.alone(workspace.scratch / "params.lock", busy, patience=-1):
        if name in load(workspace):
            cure = f"pass --name with another name, or `unroll remove {name}` first"
            raise UsageError(f"params.yaml has {SECTION}.{name} already; {cure}")
        keys = [SECTION, name]
        text = plain_yaml.with_entry(workspace.params, keys, data, comment)
        write_text(workspace.params, text)


def remove(workspace: Workspace, name: str) -> list[Path]:
    """Remove an entry of params.yaml and its answer; the file of rows stays.

    Returns:
        The folders that were removed.

    Raises:
        UsageError: there is no such entry.
    """
    known = load(workspace)
    if name not in known and (workspace.root / name / FILE).is_file():
        cure = "delete the folder, and nothing is left of it"
        raise UsageError(f"{name}/ is in no params.yaml; {cure}")
    one_of(name, known, f"the name in params.yaml ({SECTION})")
    text = plain_yaml.without_entry(workspace.params, [SECTION, name])
    write_text(workspace.params, text)
    paths = [folder(workspace, name), cache(workspace, name)]
    there = [path for path in paths if path.exists()]
    for path in there:
        shutil.rmtree(path)
    return there
