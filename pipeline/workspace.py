"""The place of each file of a build."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """The folder that holds params.yaml, and the place of everything that is built in
    it.
    """

    root: Path

    @property
    def params(self) -> Path:
        """The file that says what is built."""
        return self.root / "params.yaml"

    @property
    def claims(self) -> Path:
        """The file that says what the documents publish."""
        return self.root / "claims.yaml"

    @property
    def paragraphs(self) -> Path:
        """Why each of the documents' answers is as it is."""
        return self.root / "docs" / "results.md"

    @property
    def scratch(self) -> Path:
        """Locks, logs, checkpoints and half-written files. DVC deletes a stage's
        outputs first, so none lies there.
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
        """The run of a trial, which DVC and MLflow know nothing of."""
        return self.scratch / "trials" / dataset / experiment

    def trials(self, dataset: str, experiment: str) -> Path:
        """The trials of an experiment, and their scores on validation; kept in git."""
        return self.root / "results" / "trials" / dataset / f"{experiment}.csv"

    def record(self, dataset: str, experiment: str) -> Path:
        """Where, when and with what a run was made. No output may hold such things, so
        it lies beside the runs.
        """
        return self.root / "records" / dataset / f"{experiment}.json"

    def checkpoint(self, dataset: str, experiment: str) -> Path:
        """The checkpoint of a training."""
        return self.scratch / "checkpoints" / dataset / f"{experiment}.npz"

    def metrics(self, dataset: str) -> Path:
        """A data set's main scores, for `dvc metrics`."""
        return self.root / "results" / "metrics" / f"{dataset}.json"

    def evaluation(self, dataset: str) -> Path:
        """A data set's scores in full, and the curves behind its plots."""
        return self.root / "results" / "evaluations" / dataset

    @property
    def answers(self) -> Path:
        """The answers of all data sets and the outcomes of all claims, for `dvc
        metrics`.
        """
        return self.root / "results" / "answers.json"

    @property
    def report(self) -> Path:
        """The page."""
        return self.root / "results" / "index.html"

    def log(self, stage: str) -> Path:
        """The output of a stage when it was built."""
        return self.scratch / "logs" / f"{stage}.txt"
