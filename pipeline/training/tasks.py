"""Tasks of training, and finished runs before their stage takes them.

A training writes its run and its record to `.unroll/finished/`. The
stage `train` puts them into runs/ and records/ when all its trainings have ended. So
what a killed build has finished waits there, out of reach of DVC's checkouts.
"""

import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.model_card import card
from pipeline.config.params import Experiment
from pipeline.errors import UsageError
from pipeline.files import atomic_file, atomic_folder, read_checked, remove
from pipeline.provenance.fingerprint import Ingredients
from pipeline.training import run_folder
from pipeline.training.run_folder import Summary
from pipeline.validation import Strict
from pipeline.workspace import Workspace, home

RUN = "run"
"""The name of the run folder in a finished entry."""

OUTCOME = "outcome.json"
"""The name of the outcome of a search's training in a finished entry."""

RECORD = "record.json"
"""The name of the run's record in a finished entry."""

DAYS = 7
"""The days after which a finished run that nobody has taken is removed."""


@dataclass(frozen=True, eq=False)
class Task:
    """One experiment to be trained.

    A task can be pickled. No two tasks are equal, so a task may be a key of a
    dictionary.

    Attributes:
        name: the name of the experiment within its data set.
        experiment: the experiment's section of params.yaml.
        made_of: what a run of it is made of.
        searching: whether a search wants to know the error on validation. Then an
            `Outcome` is kept in place of a run.
    """

    name: str
    experiment: Experiment
    made_of: Ingredients
    searching: bool = False

    @property
    def dataset(self) -> str:
        """The name of the data set."""
        return self.experiment.dataset

    @property
    def fingerprint(self) -> dict[str, str]:
        """The hashes of params, data, code and lock."""
        return self.made_of.fingerprint

    @property
    def whole_name(self) -> str:
        """The name of the experiment with its data set, such as `waves/gru`."""
        return f"{self.dataset}/{self.name}"

    @property
    def network(self) -> bool:
        """True if the task may need TensorFlow.

        A model that is wrong counts as one that may: its own training says what is wrong.
        """
        try:
            return card(self.experiment.model).gives == "network"
        except UsageError:
            return True

    @property
    def key(self) -> str:
        """The SHA-256 of the fingerprint."""
        return hashlib.sha256("\n".join(self.fingerprint.values()).encode()).hexdigest()


class Outcome(Strict):
    """What a search learns of a training.

    Attributes:
        value: the measure on validation, as the mean over seeds, at the best epoch if
            there are epochs; None if the training did not complete.
        ended: "complete", or the reason why the training did not complete.
        epochs: the epochs of the first seed; None without epochs.
        best_epoch: the best epoch of the first seed; None without epochs.
        cpu_seconds: the CPU time of the training's process.
    """

    value: float | None = None
    ended: str
    epochs: int | None = None
    best_epoch: int | None = None
    cpu_seconds: float


def is_run_of(folder: Path, task: Task) -> bool:
    """Return whether a folder holds the run of a task.

    Raises:
        UnrollError: its files are not as they were written.
    """
    if not (folder / "run.json").exists():
        return False
    summary = read_checked(folder / "run.json", Summary)
    found = (summary.dataset, summary.experiment, summary.fingerprint)
    if found != (task.dataset, task.name, task.fingerprint):
        return False
    run_folder.require_whole(folder)
    return True


def finished(workspace: Workspace, task: Task) -> Path:
    """Return the folder of a task's finished run and its record.

    It need not exist. For an experiment of DVC it lies in the original workspace.
    """
    name = f"{task.dataset}-{task.name}-{task.key}"
    return home(workspace).scratch / "finished" / name


@contextmanager
def finishing(workspace: Workspace, task: Task) -> Iterator[Path]:
    """Yield an empty folder with a folder `RUN`, for a task's run and its record.

    When the block has ended, it becomes the folder `finished`.
    """
    folder = finished(workspace, task)
    with atomic_folder(folder, home(workspace).scratch) as unfinished:
        (unfinished / RUN).mkdir()
        yield unfinished


def take(workspace: Workspace, task: Task) -> None:
    """Put a task's finished run and its record into runs/ and records/.

    An experiment of DVC leaves the finished run where it is: until DVC has cached its
    outputs, a kill would lose them with the experiment's folder.
    """
    folder = finished(workspace, task)
    run = workspace.run(task.dataset, task.name)
    with atomic_folder(run, workspace.scratch) as unfinished:
        shutil.copytree(folder / RUN, unfinished, dirs_exist_ok=True)
    if (folder / RECORD).exists():
        record = workspace.record(task.dataset, task.name)
        with atomic_file(record) as unfinished:
            shutil.copyfile(folder / RECORD, unfinished)
    if home(workspace) == workspace:
        remove(folder)


def remove_old(workspace: Workspace) -> None:
    """Remove finished runs that nobody has taken for `DAYS` days."""
    oldest = time.time() - DAYS * 24 * 3600
    for folder in home(workspace).scratch.glob("finished/*"):
        if folder.stat().st_mtime < oldest:
            remove(folder)
