"""The paths of all files of a build."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """The folder that holds params.yaml, and the paths of everything built in it."""

    root: Path

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
