"""The run folder runs/DATASET/EXPERIMENT: the results of a training on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pydantic

from pipeline.data.examples import Array
from pipeline.errors import UnrollError
from pipeline.files import (
    hashes_of,
    read_checked,
    read_json,
    read_npz,
    read_table,
    write_json,
    write_npz,
    write_table,
)
from pipeline.validation import Strict

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.data.dataset import Dataset
    from pipeline.training.job import Job, Replicate, Trained


HASHES = "sha256.json"
"""The file of a run that holds the SHA-256 of each other file."""


class LayerSummary(Strict):
    """A layer of a model; `output` is its output shape, with None for any length."""

    name: str
    type: str
    output: list[int | None]
    parameters: int


class Summary(Strict):
    """The content of run.json.

    Attributes:
        experiment: the name of the experiment.
        dataset: the name of its data set.
        parameters: how many numbers were fitted.
        layers: the layers of the model.
        seeds: the seed of each replicate.
        epochs: the most epochs of a replicate; 0 for a method without epochs.
        ended: the last epoch of each seed if they differ (`epochs.Patience`), else
            None.
        best_epochs: for each seed the epoch (from 1) with the best validation metric;
            None without validation.
        loss: the name of the loss, None where there is none.
        fingerprint: the hashes of params, data, code and lock that the run was made of;
            empty for a dry run.
    """

    experiment: str
    dataset: str
    parameters: int
    layers: list[LayerSummary]
    seeds: Annotated[list[int], pydantic.Field(min_length=1)]
    epochs: int
    ended: list[int] | None = None
    best_epochs: list[int] | None
    loss: str | None
    fingerprint: dict[str, str]

    @property
    def last(self) -> list[int]:
        """The last epoch of each seed."""
        return self.ended or [self.epochs] * len(self.seeds)


@dataclass(frozen=True)
class Run:
    """A run, as read from its folder.

    Attributes:
        summary: run.json.
        history: seed, epoch and every recorded column; one row per seed and epoch, none
            without epochs.
        predictions: "final_test", "best_train", "rollout", ... -> (seeds, n) or (seeds,
            n, values), in model units; "gradients" -> (seeds, timesteps).
    """

    summary: Summary
    history: "pd.DataFrame"
    predictions: dict[str, Array]

    @property
    def points(self) -> list[str]:
        """The names of the weights: "final", and with validation "best"."""
        return ["final", "best"] if self.summary.best_epochs is not None else ["final"]

    @property
    def varies(self) -> bool:
        """True if results depend on the seed, as they do for methods with epochs."""
        return self.summary.epochs > 0


def save(
    trained: "Trained", job: "Job", folder: Path, fingerprint: Mapping[str, str]
) -> None:
    """Write run.json, history.csv, predictions.npz, weights/, and the SHA-256 of these
    files into an empty folder.

    Args:
        trained: the result of the training method.
        job: the job that the method trained.
        folder: becomes runs/DATASET/EXPERIMENT.
        fingerprint: the hashes of what the run was made of.
    """
    replicates = trained.replicates
    _write_history(folder / "history.csv", replicates, job.dataset)
    arrays = {"seeds": np.array(job.seeds)}
    for name in replicates[0].predictions if replicates else ():
        arrays[name] = np.stack([each.predictions[name] for each in replicates])
    write_npz(folder / "predictions.npz", arrays)
    (folder / "weights").mkdir()
    for replicate in replicates:
        for point, weights in replicate.weights.items():
            trained.save(weights, folder / "weights" / f"seed_{replicate.seed}_{point}")
    lengths = [len(replicate.history) for replicate in replicates]
    best_epochs = [replicate.best_epoch for replicate in replicates]
    summary = Summary.model_validate(
        {
            "experiment": job.experiment,
            "dataset": job.dataset.name,
            "parameters": trained.parameters,
            "layers": trained.layers,
            "seeds": list(job.seeds),
            "epochs": max(lengths, default=0),
            "ended": lengths if len(set(lengths)) > 1 else None,
            "best_epochs": best_epochs if any(best_epochs) else None,
            "loss": trained.loss,
            "fingerprint": dict(fingerprint),
        }
    )
    write_json(folder / "run.json", summary.model_dump())
    write_json(folder / HASHES, hashes_of(folder))


def _write_history(
    path: Path, replicates: "Sequence[Replicate]", dataset: "Dataset"
) -> None:
    """Write one row for each seed and epoch; without epochs only the column names."""
    import pandas as pd

    rows = [
        {"seed": replicate.seed, "epoch": epoch, **values}
        for replicate in replicates
        for epoch, values in enumerate(replicate.history, 1)
    ]
    columns = None
    if not rows:
        columns = ["seed", "epoch", "train_loss", f"train_{dataset.metric}"]
        for split in dataset.scored:
            columns += [f"{split}_loss", f"{split}_{dataset.metric}"]
    write_table(path, pd.DataFrame(rows, columns=columns))


def require_whole(folder: Path) -> None:
    """Raise UnrollError if the files of a run are not as `save` wrote them."""
    found = hashes_of(folder)
    found.pop(HASHES, None)
    if found != read_json(folder / HASHES):
        raise UnrollError(
            f"{folder} is damaged: its files have other hashes than {HASHES}"
        )


def load(folder: Path) -> Run:
    """Read what `save` wrote.

    Raises:
        UnrollError: a file is missing or damaged; the message names the command that
            helps.
    """
    name = f"{folder.parent.name}/{folder.name}"
    again = f"run `unroll train {folder.parent.name} {folder.name}`"
    if not (folder / "run.json").is_file():
        raise UnrollError(
            f"{name} is not trained (there is no {folder / 'run.json'}); {again}"
        )
    try:
        summary = read_checked(folder / "run.json", Summary)
        history = read_table(folder / "history.csv", seed=int, epoch=int)
        predictions = read_npz(folder / "predictions.npz")
        predictions.pop("seeds", None)
    except UnrollError as error:
        reason = str(error).split(";", maxsplit=1)[0]
        raise UnrollError(f"the run of {name} is damaged: {reason}; {again}") from None
    return Run(summary, history, predictions)


def load_for(folder: Path, dataset: str, seeds: Sequence[int]) -> Run:
    """Read a run that must have this data set and these seeds.

    Raises:
        UnrollError: like `load`, or the run has another data set or other seeds.
    """
    run = load(folder)
    summary = run.summary
    found = (summary.dataset, summary.experiment, summary.seeds)
    if found != (dataset, folder.name, list(seeds)):
        raise UnrollError(
            f"the run of {dataset}/{folder.name} is of {summary.dataset}/"
            f"{summary.experiment} with seeds {summary.seeds}, but params.yaml says "
            f"seeds {list(seeds)}; run `unroll train {dataset} {folder.name}`"
        )
    return run
