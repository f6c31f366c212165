"""Tasks of training, and the store of finished runs, `.unroll/store/DATASET/NAME/KEY/`:
what was trained once is not trained again.

An entry holds the run folder, in `run/`, and `files.json`, the SHA-256 of each of its
files. It comes into the store by one rename, so it is there whole or not at all. The
run folders in runs/ are hard links to it and take no further space.
"""

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.params import Experiment, Preparation
from pipeline.errors import UnrollError
from pipeline.files import atomic_folder, read_json, remove, write_json
from pipeline.provenance import fingerprint
from pipeline.workspace import Workspace

WHOLE = "UNROLL_WHOLE"
"""The variable by which `unroll repro` says that it builds everything: a stage may
train for later ones, too."""

RUN = "run"
"""The run folder in an entry."""

HASHES = "files.json"
"""The file in an entry that holds the SHA-256 of each file of its run."""


@dataclass(frozen=True, eq=False)
class Task:
    """One experiment to be trained. It can be pickled; no two are equal, so it may be a
    key of a dictionary.

    Attributes:
        dataset: the name of the data set.
        name: of the experiment.
        experiment: as in params.yaml.
        preparation: of the data set.
        key: of the run in the store (`key`).
    """

    dataset: str
    name: str
    experiment: Experiment
    preparation: Preparation
    key: str

    @property
    def whole_name(self) -> str:
        """The name of the experiment among those of all data sets, such as `waves/gru`."""
        return f"{self.dataset}/{self.name}"

    @property
    def network(self) -> bool:
        """Whether it may need TensorFlow."""
        return self.experiment.model.family != "baselines"


@dataclass(frozen=True)
class Result:
    """How a task ended.

    Attributes:
        task: the task.
        seconds: since it began.
        error: why it failed, in one line; "" where it went well.
    """

    task: Task
    seconds: float
    error: str


def key(dataset: str, name: str, of_run: Mapping[str, str]) -> str:
    """Return the key of a run: the SHA-256 over its data set, its name and its
    fingerprint.
    """
    parts = [dataset, name, *of_run.values()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def entry(workspace: Workspace, dataset: str, name: str, key: str) -> Path:
    """Return the folder of an entry, which need not be there."""
    return workspace.scratch / "store" / dataset / name / key


@contextmanager
def adding(workspace: Workspace, dataset: str, name: str, key: str) -> Iterator[Path]:
    """An empty folder for a run; when the block ends well, the store holds it."""
    folder = entry(workspace, dataset, name, key)
    with atomic_folder(folder, workspace.scratch) as unfinished:
        run = unfinished / RUN
        run.mkdir()
        yield run
        write_json(unfinished / HASHES, fingerprint.files_of(run))


def holds(workspace: Workspace, dataset: str, name: str, key: str) -> bool:
    """Whether the store holds a run. Its entry counts as used now.

    Raises:
        UnrollError: its files are not as they were written; the entry is removed.
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
    """Let runs/DATASET/NAME be a run of the store."""
    with atomic_folder(workspace.run(dataset, name), workspace.scratch) as unfinished:
        _link(entry(workspace, dataset, name, key), unfinished)


def place_all(workspace: Workspace, dataset: str, keys: Mapping[str, str]) -> None:
    """Let runs/DATASET hold these runs of the store, name -> key, and nothing else."""
    with atomic_folder(workspace.runs(dataset), workspace.scratch) as unfinished:
        for name, key in keys.items():
            _link(entry(workspace, dataset, name, key), unfinished / name)


def _link(entry: Path, folder: Path) -> None:
    """Fill a folder with hard links; with copies where the file system has none."""

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)

    shutil.copytree(entry / RUN, folder, copy_function=link, dirs_exist_ok=True)


def entries(workspace: Workspace, dataset: str = "*") -> list[Path]:
    """Return the entries of a data set, or of all; the one that was used longest ago
    first.
    """
    found = (workspace.scratch / "store").glob(f"{dataset}/*/*/")
    return sorted(found, key=lambda folder: folder.stat().st_mtime)


def prune(workspace: Workspace, used: Collection[Path], keep: int) -> tuple[int, int]:
    """Remove entries that are not `used`, those used longest ago first, until the store
    has at most `keep` bytes.

    Returns:
        How many were removed, and how many bytes that freed: a file that runs/ has,
        too, frees none.
    """
    sizes = {folder: _size(folder) for folder in entries(workspace)}
    total = sum(sizes.values())
    count = 0
    freed = 0
    for folder, size in sizes.items():
        if total > keep and folder not in used:
            count += 1
            freed += _size(folder, most_links=1)
            total -= size
            remove(folder)
    return count, freed


def _size(folder: Path, most_links: float = float("inf")) -> int:
    """The bytes of the files in a folder that have at most so many names."""
    found = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return sum(file.st_size for file in found if file.st_nlink <= most_links)
