"""Tasks of training, and the store of finished runs, `.unroll/store/DATASET/NAME/KEY/`.

A run that is in the store is not trained again. An entry holds the run folder `run/`
and `files.json`, the SHA-256 of each file of the run. An entry comes into the store by
one rename, so no entry is incomplete. The files in runs/ are hard links to the entries
and take no further space.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.params import Experiment, Preparation
from pipeline.errors import UnrollError
from pipeline.files import atomic_folder, read_json, remove, write_json
from pipeline.provenance import fingerprint
from pipeline.workspace import Workspace, home

WHOLE = "UNROLL_WHOLE"
"""The environment variable that `unroll repro` sets while it builds everything. A stage
may then train for later stages, too."""

RUN = "run"
"""The name of the run folder in an entry."""

HASHES = "files.json"
"""The name of the file in an entry that holds the SHA-256 of each file of the run."""


@dataclass(frozen=True, eq=False)
class Task:
    """One experiment to be trained.

    A task can be pickled. No two tasks are equal, so a task may be a key of a
    dictionary.

    Attributes:
        dataset: the name of the data set.
        name: the name of the experiment.
        experiment: the experiment's section of params.yaml.
        preparation: the data set's section of params.yaml.
        key: the key of the run in the store (`key`).
    """

    dataset: str
    name: str
    experiment: Experiment
    preparation: Preparation
    key: str

    @property
    def whole_name(self) -> str:
        """The name of the experiment with its data set, such as `waves/gru`."""
        return f"{self.dataset}/{self.name}"

    @property
    def network(self) -> bool:
        """True if the task may need TensorFlow."""
        return self.experiment.model.family != "baselines"


@dataclass(frozen=True)
class Result:
    """The end of a task.

    Attributes:
        task: the task.
        seconds: how long the task took.
        error: why the task failed, in one line; "" if it did not.
    """

    task: Task
    seconds: float
    error: str


def key(dataset: str, name: str, of_run: Mapping[str, str]) -> str:
    """Return a run's key: the SHA-256 of its data set, its name and its fingerprint."""
    parts = [dataset, name, *of_run.values()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def store(workspace: Workspace) -> Path:
    """Return the folder of the store, which need not exist."""
    return home(workspace).scratch / "store"


def entry(workspace: Workspace, dataset: str, name: str, key: str) -> Path:
    """Return the folder of an entry, which need not exist."""
    return store(workspace) / dataset / name / key


@contextmanager
def adding(workspace: Workspace, dataset: str, name: str, key: str) -> Iterator[Path]:
    """Yield an empty folder for a run; put it into the store when the block has ended."""
    folder = entry(workspace, dataset, name, key)
    with atomic_folder(folder, workspace.scratch) as unfinished:
        run = unfinished / RUN
        run.mkdir()
        yield run
        write_json(unfinished / HASHES, fingerprint.files_of(run))


def holds(workspace: Workspace, dataset: str, name: str, key: str) -> bool:
    """Return whether the store holds a run, and mark its entry as used now.

    Raises:
        UnrollError: its files are not as they were written. The entry is removed.
    """
    folder = entry(workspace, dataset, name, key)
    if not folder.exists():
        return False
    try:
        whole = read_json(folder / HASHES) == fingerprint.files_of(folder / RUN)
    except UnrollError:
        whole = False
    if not whole:
        remove(folder)
        raise UnrollError(
            f"the run of {dataset}/{name} in {folder.parent} is damaged and was removed"
        )
    os.utime(folder)
    return True


def place(workspace: Workspace, dataset: str, name: str, key: str) -> None:
    """Put a run of the store into runs/DATASET/NAME."""
    with atomic_folder(workspace.run(dataset, name), workspace.scratch) as unfinished:
        _link(entry(workspace, dataset, name, key), unfinished)


def place_all(workspace: Workspace, dataset: str, keys: Mapping[str, str]) -> None:
    """Replace runs/DATASET by these runs of the store, name -> key."""
    with atomic_folder(workspace.runs(dataset), workspace.scratch) as unfinished:
        for name, key in keys.items():
            _link(entry(workspace, dataset, name, key), unfinished / name)


def _link(entry: Path, folder: Path) -> None:
    """Fill a folder with hard links, or with copies if the file system has no links."""

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)

    shutil.copytree(entry / RUN, folder, copy_function=link, dirs_exist_ok=True)
