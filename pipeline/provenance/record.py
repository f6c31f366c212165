"""Where, when and with what a run was made: a record beside it, since no output may hold a time, a commit or a CPU.

A fingerprint says by a hash what a run was made of. A record keeps what the hash was taken over, so that a diff of
two records names the parameter, module, file or package. Nothing here shapes a result.
"""

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import UnrollError, one_line
from pipeline.files import read_checked, write_json
from pipeline.provenance import environment, fingerprint
from pipeline.provenance.environment import Environment
from pipeline.provenance.fingerprint import Ingredients
from pipeline.workspace import Workspace


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
    """Write the record of the run in `folder`, which this process has just made; failing that, one line of warning."""
    import psutil

    path = workspace.record(folder.parent.name, folder.name)
    try:
        started = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
        found = Record(
            **environment.here(workspace).model_dump(),
            **asdict(made_of),
            run=fingerprint.folder(folder),
            started=started.isoformat(timespec="seconds"),
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_json(path, found.model_dump())
    except Exception as error:  # noqa: BLE001 - a full disk, a folder without rights: the training counts all the same
        said = one_line(str(error)) or type(error).__name__
        sys.stderr.write(f"warning: no record of where {folder.name} was made: {said:.200}\n")


def read(workspace: Workspace, dataset: str, experiment: str) -> Record:
    """The record of the run that is on disk. Raises UnrollError: there is none, or it is damaged; the text says why."""
    path = workspace.record(dataset, experiment)
    if not path.is_file():
        raise UnrollError("no record on this machine: taken from DVC's cache, or made elsewhere")
    record = read_checked(path, Record)
    if record.run != fingerprint.folder(workspace.run(dataset, experiment)):
        raise UnrollError("no record of this run: the one on this machine is of another, which DVC has replaced since")
    return record
