"""The folder of a build: the paths of its files, its locks, and why its stages failed."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import one_line
from pipeline.files import UNFINISHED, remove, write_text
from pipeline.locks import alone

CLOCK = 5.0
"""Seconds by which a process may seem younger than it is. Systems count from their own
start, in whole seconds."""

UNFINISHED_PLACES = (
    "",
    "results/",
    "results/trials/*/",
    "records/*/",
    ".unroll/",
    ".unroll/*/",
    ".unroll/checkpoints/*/",
)
"""Patterns of the folders of a workspace in which `pipeline.files` writes."""


@dataclass(frozen=True)
class Workspace:
    """The folder that holds params.yaml, and the paths of everything built in it."""

    root: Path

    @property
    def program(self) -> str:
        """The command `unroll` for this workspace, as typed in the current folder."""
        folder = os.path.relpath(self.root)
        return "unroll" if folder == "." else f"unroll --root {shlex.quote(folder)}"

    @property
    def params(self) -> Path:
        """The file that describes what is built."""
        return self.root / "params.yaml"

    @property
    def claims(self) -> Path:
        """The file of the documents' published claims."""
        return self.root / "claims.yaml"

    @property
    def paragraphs(self) -> Path:
        """The file that explains each of the documents' answers."""
        return self.root / "docs" / "results.md"

    @property
    def scratch(self) -> Path:
        """The folder of locks, logs, checkpoints and half-written files.

        No output of a stage lies there, since DVC deletes a stage's outputs first.
        """
        return self.root / ".unroll"

    def raw(self, source: str) -> Path:
        """The folder of a source: its files and `source.json`."""
        return self.root / "data" / "raw" / source

    def prepared(self, dataset: str) -> Path:
        """The folder of a data set: `arrays.npz` and `dataset.json`."""
        return self.root / "data" / "prepared" / dataset

    def runs(self, dataset: str) -> Path:
        """The folder of a data set's runs."""
        return self.root / "runs" / dataset

    def run(self, dataset: str, experiment: str) -> Path:
        """The folder of an experiment: run.json, history.csv, predictions.npz and
        weights/.
        """
        return self.runs(dataset) / experiment

    def trial(self, dataset: str, experiment: str) -> Path:
        """The run folder of a trial, which neither DVC nor MLflow records."""
        return self.scratch / "trials" / dataset / experiment

    def trials(self, dataset: str, experiment: str) -> Path:
        """The file of an experiment's trials and their scores on validation, kept in
        git.
        """
        return self.root / "results" / "trials" / dataset / f"{experiment}.csv"

    def record(self, dataset: str, experiment: str) -> Path:
        """The record of a run: where, when and with what it was made.

        An output must not hold such things, so the record lies beside the runs.
        """
        return self.root / "records" / dataset / f"{experiment}.json"

    def checkpoint(self, dataset: str, experiment: str) -> Path:
        """The checkpoint of a training."""
        return self.scratch / "checkpoints" / dataset / f"{experiment}.npz"

    def metrics(self, dataset: str) -> Path:
        """The folder of a data set's main scores, for `dvc metrics`: a file
        EXPERIMENT.json for each experiment that has predictions.
        """
        return self.root / "results" / "metrics" / dataset

    def evaluation(self, dataset: str) -> Path:
        """The folder of a data set's full scores and the tables behind its plots."""
        return self.root / "results" / "evaluations" / dataset

    @property
    def answers(self) -> Path:
        """The file of all answers and outcomes of claims."""
        return self.root / "results" / "answers.json"

    @property
    def report(self) -> Path:
        """The page that `unroll report` writes."""
        return self.root / "results" / "index.html"

    def log(self, stage: str) -> Path:
        """The file of a stage's output when it was last built."""
        return self.scratch / "logs" / f"{stage}.txt"

    @contextmanager
    def stage(self, verb: str, name: str) -> Iterator[None]:
        """Keep other processes out of a stage while the block runs.

        Two processes that write the same folder would mix their files. Half-written
        files of killed processes are removed first. If DVC runs the stage, as a plain
        `dvc repro` beside a build does, it waits for the other process.

        Raises:
            UnrollError: another process is in the stage, and DVC does not run this one.
        """
        place = f"{verb} {name} in {self.root}"
        busy = f"another process is at {place}; wait until it has ended"
        patience = -1 if "DVC_STAGE" in os.environ else 0
        with alone(self.scratch / f"{verb}-{name}.lock", busy, patience=patience):
            self.sweep()
            yield

    def sweep(self) -> None:
        """Remove the half-written files of processes that no longer run."""
        for pattern in UNFINISHED_PLACES:
            for path in self.root.glob(f"{pattern}.*.tmp"):
                match = UNFINISHED.fullmatch(path.name)
                with suppress(FileNotFoundError):  # its process may have finished it
                    if match and not alive(int(match[1]), path.stat().st_mtime):
                        remove(path)

    def note_failure(self, stage: str, text: str) -> None:
        """Note why a stage failed, as one line; an empty text removes the note.

        `stage` is DVC's name of the stage (`DVC_STAGE`), such as `source@jena`.
        """
        file = self.scratch / "failures" / f"{stage}.txt"
        if text:
            write_text(file, one_line(text) + "\n")
        else:
            file.unlink(missing_ok=True)

    def failures(self, since: float = 0) -> dict[str, str]:
        """Return stage -> the reason why it failed last, in alphabetical order.

        `since` leaves out what was noted earlier (in seconds since 1970).
        """
        return {
            file.stem: one_line(file.read_text(encoding="utf-8"))
            for file in sorted((self.scratch / "failures").glob("*.txt"))
            if file.stat().st_mtime >= since
        }


def dvc_experiment() -> str:
    """Return the name of the DVC experiment (`dvc exp run`) that runs this process;
    empty in an ordinary build.
    """
    return os.environ.get("DVC_EXP_NAME", "") if os.environ.get("DVC_ROOT") else ""


def home(workspace: Workspace) -> Workspace:
    """Return the workspace that keeps records and finished runs.

    For a DVC experiment this is the original workspace: `dvc exp run --temp` works in a
    copy, which DVC removes later.
    """
    return Workspace(Path(os.environ["DVC_ROOT"])) if dvc_experiment() else workspace


def alive(number: int, written: float) -> bool:
    """Return whether the process that wrote a file still runs.

    Args:
        number: the process id.
        written: when the file was written, in seconds since 1970. A process with this
            id that started later is another process.

    In a container a dead process may keep its id as a zombie; it does not count.
    """
    import psutil

    try:
        process = psutil.Process(number)
        return bool(
            process.status() != psutil.STATUS_ZOMBIE
            and process.create_time() <= written + CLOCK
        )
    except psutil.NoSuchProcess:
        return False
