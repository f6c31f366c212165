"""Every experiment of params.yaml, and whether it is built."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.config import params
from pipeline.workspace import Workspace
from stages.console import tables
from stages.console.tables import Column


def listing(workspace: Workspace) -> list[dict[str, Any]]:
    """One mapping per experiment, in the order of params.yaml, all plain data.

    Raises:
        UnrollError: params.yaml is missing or wrong.
    """
    every = params.load(workspace.params)
    return [
        {
            "experiment": name,
            "dataset": experiment.dataset,
            "model": f"{experiment.model.family}.{experiment.model.name}",
            "method": experiment.training.method,
            "epochs": experiment.training.options.get("epochs"),
            "seeds": experiment.seeds,
            "built": (workspace.run(experiment.dataset, name) / "run.json").exists(),
        }
        for name, experiment in every.experiments.items()
    ]


def show(found: Sequence[Mapping[str, Any]]) -> None:
    """Print what `listing` gave."""
    columns = [Column(text) for text in ("experiment", "data set", "model", "method")]
    columns += [Column("epochs", number=True), Column("seeds", number=True), Column("built")]
    rows = [
        [
            *(row[key] for key in ("experiment", "dataset", "model", "method")),
            "" if row["epochs"] is None else str(row["epochs"]),
            str(len(row["seeds"])),
            "yes" if row["built"] else "no",
        ]
        for row in found
    ]
    tables.show(columns, rows)
