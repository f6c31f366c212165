"""runs/DATASET/EXPERIMENT: what a training leaves on disk, written and read by one
schema.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pydantic

from pipeline import tables
from pipeline.data.examples import Array
from pipeline.errors import UnrollError
from pipeline.files import damaged, read_checked, read_npz, write_json, write_npz
from pipeline.validation import Strict

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.training.job import Job, Trained


class LayerSummary(Strict):
    """A layer of a model; `output` is its shape, None for any length."""

    name: str
    type: str
    output: list[int | None]
    parameters: int


class Summary(Strict):
    """What run.json holds.

    Attributes:
        experiment: its name.
        dataset: its data set.
        parameters: how many numbers were fitted.
        layers: of the model.
        seeds: one replicate for each.
        epochs: of the replicate that had most; 0 where the method has none.
        ended: the last epoch of each seed where they differ (`trainer.Patience`), else
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

    @pydantic.model_validator(mode="after")
    def _one_epoch_each(self) -> "Summary":
        most = [self.epochs] * len(self.seeds)
        for name, epochs, limits in (
            ("ended", self.ended, most),
            ("best_epochs", self.best_epochs, self.last),
        ):
            if epochs is None:
                continue
            if len(epochs) != len(limits) or not all(
                1 <= e <= limit for e, limit in zip(epochs, limits, strict=True)
            ):
                raise ValueError(
                    f"{name} must be one epoch for each seed. Received: {epochs}"
                )
        return self


@dataclass(frozen=True)
class Run:
    """A run as it lies on disk.

    Attributes:
        summary: run.json.
        history: seed, epoch and every recorded column; one row per seed and epoch, none
            without epochs.
        predictions: "final_test", "best_train", "rollout", ... -> (seeds, n) or (seeds,
            n, values), in model units.
    """

    summary: Summary
    history: "pd.DataFrame"
    predictions: dict[str, Array]

    @property
    def points(self) -> list[str]:
        """The weights that predictions come from: "final", and "best" where an epoch
        was chosen on validation.
        """
        return ["final", "best"] if self.summary.best_epochs is not None else ["final"]

    @property
    def varies(self) -> bool:
        """Whether results depend on the seed: only methods with epochs draw."""
        return self.summary.epochs > 0


def save(
    trained: "Trained", job: "Job", folder: Path, fingerprint: Mapping[str, str]
) -> None:
    """Write run.json, history.csv, predictions.npz, and weights/ into an empty folder.

    Args:
        trained: what the method gave back.
        job: what it was given.
        folder: becomes runs/DATASET/EXPERIMENT.
        fingerprint: of what the run was made of.
    """
    import pandas as pd

    replicates = trained.replicates
    lengths = [len(r.history) for r in replicates]
    best_epochs = [r.best_epoch for r in replicates if r.best_epoch is not None]
    scored = [
        f"{split}_{what}"
        for split in job.dataset.scored
        for what in ("loss", job.dataset.metric)
    ]
    rows = [
        {"seed": r.seed, "epoch": epoch, **values}
        for r in replicates
        for epoch, values in enumerate(r.history, 1)
    ]
    columns = [
        "seed",
        "epoch",
        "train_loss",
        f"train_{job.dataset.metric}",
        *dict.fromkeys(scored),
    ]
    tables.write(
        folder / "history.csv",
        pd.DataFrame(rows, columns=[c for c in columns if not rows or c in rows[0]]),
    )
    names = list(replicates[0].predictions) if replicates else []
    stacked = {
        name: np.stack([r.predictions[name] for r in replicates]) for name in names
    }
    write_npz(folder / "predictions.npz", {"seeds": np.array(job.seeds), **stacked})
    (folder / "weights").mkdir()
    for replicate in replicates:
        for point, weights in replicate.weights.items():
            trained.save(weights, folder / "weights" / f"seed_{replicate.seed}_{point}")
    summary = Summary.model_validate(
        {
            "experiment": job.experiment,
            "dataset": job.dataset.name,
            "parameters": trained.parameters,
            "layers": trained.layers,
            "seeds": list(job.seeds),
            "epochs": max(lengths, default=0),
            "ended": lengths if len(set(lengths)) > 1 else None,
            "best_epochs": best_epochs
            if replicates and len(best_epochs) == len(replicates)
            else None,
            "loss": trained.loss,
            "fingerprint": dict(fingerprint),
        }
    )
    write_json(folder / "run.json", summary.model_dump())


def load(folder: Path) -> Run:
    """Read what `save` wrote.

    Raises:
        UnrollError: a file is missing or damaged, or they are not of one run; the text
            names the command that helps.
    """
    name = f"{folder.parent.name}/{folder.name}"
    again = f"run `unroll train {folder.parent.name} {folder.name}`"
    if not (folder / "run.json").is_file():
        raise UnrollError(
            f"{name} is not trained (there is no {folder / 'run.json'}); {again}"
        )
    try:
        summary = read_checked(folder / "run.json", Summary)
        history = tables.read(folder / "history.csv", seed=int, epoch=int)
        predictions = read_npz(folder / "predictions.npz")
        ends = zip(summary.seeds, summary.last, strict=True)
        epochs = [(seed, epoch) for seed, last in ends for epoch in range(1, last + 1)]
        if [
            *zip(history["seed"], history["epoch"], strict=True)
        ] != epochs or history.isna().any(axis=None):
            lengths = " and ".join(map(str, sorted(set(summary.last))))
            raise damaged(
                folder,
                ValueError(f"history.csv must hold {lengths} epochs of each seed"),
            )
        if [*predictions.pop("seeds", ())] != summary.seeds:
            raise damaged(
                folder, ValueError("predictions.npz is of other seeds than run.json")
            )
    except UnrollError as error:
        reason = str(error).split(";", maxsplit=1)[0]
        raise UnrollError(f"the run of {name} is damaged: {reason}; {again}") from None
    return Run(summary, history, predictions)


def load_for(folder: Path, dataset: str, seeds: Sequence[int]) -> Run:
    """Read a run that must be of this data set and these seeds.

    Raises:
        UnrollError: as `load`, or it is of others.
    """
    run = load(folder)
    if (run.summary.dataset, run.summary.experiment) != (
        dataset,
        folder.name,
    ) or run.summary.seeds != list(seeds):
        raise UnrollError(
            f"the run of {dataset}/{folder.name} is of {run.summary.dataset}/{run.summary.experiment} with seeds "
            f"{run.summary.seeds}, but params.yaml says seeds {list(seeds)}; run `unroll train {dataset} {folder.name}`"
        )
    return run
