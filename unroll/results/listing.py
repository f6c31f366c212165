"""Every experiment of params.yaml, and whether it is built."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.files import read_json
from pipeline.workspace import Workspace
from unroll import tables
from unroll.tables import Column


def listing(workspace: Workspace, names: Collection[str] = ()) -> list[dict[str, Any]]:
    """One mapping per experiment, of these data sets (of all without), in the order of params.yaml, all plain data.

    Raises:
        UsageError: a name is no data set.
        UnrollError: params.yaml is missing or wrong.
    """
    every = params.load(workspace.params)
    for name in names:
        every.dataset(name)
    return [
        {
            "experiment": name,
            "dataset": experiment.dataset,
            "model": f"{experiment.model.family}.{experiment.model.name}",
            "method": experiment.training.method,
            "epochs": experiment.training.options.get("epochs"),
            "seeds": experiment.seeds,
            "score": _score(workspace, experiment.dataset, name),
            "built": (workspace.run(experiment.dataset, name) / "run.json").exists(),
        }
        for name, experiment in every.experiments.items()
        if not names or experiment.dataset in names
    ]


def _score(workspace: Workspace, dataset: str, experiment: str) -> Any:
    """Its score, of the build here, else as committed; None where there is none."""
    with contextlib.suppress(UnrollError):  # it is not there, or of no use, but the rest is worth listing
        found = read_json(workspace.headline(dataset, experiment))
        return found.get("score") if isinstance(found, dict) else None
    return None


def show(found: Sequence[Mapping[str, Any]]) -> None:
    """Print what `listing` gave."""
    columns = [Column("experiment"), Column("data set", rank=2), Column("model", rank=3), Column("method", rank=4)]
    columns += [Column("epochs", number=True, rank=6), Column("seeds", number=True, rank=5)]
    columns += [Column("score on test", number=True, rank=1), Column("built", rank=0)]
    rows = [
        [
            *(row[key] for key in ("experiment", "dataset", "model", "method")),
            "" if row["epochs"] is None else str(row["epochs"]),
            str(len(row["seeds"])),
            "" if row["score"] is None else f"{row['score']:.4g}",
            "yes" if row["built"] else "no",
        ]
        for row in found
    ]
    tables.show(columns, rows)
