"""Every experiment of params.yaml, and whether it is built."""

from typing import Any

from pipeline import params
from pipeline.storage import Workspace


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


def columns(rows: list[dict[str, Any]]) -> list[list[str]]:
    """The rows as text, the headings first."""
    texts = [
        [
            row["experiment"],
            row["dataset"],
            row["model"],
            row["method"],
            "" if row["epochs"] is None else str(row["epochs"]),
            " ".join(map(str, row["seeds"])),
            "yes" if row["built"] else "no",
        ]
        for row in rows
    ]
    return [["experiment", "data set", "model", "method", "epochs", "seeds", "built"], *texts]


def print_table(lines: list[list[str]]) -> None:
    """Columns as wide as their widest cell; no library, so that it is instant."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
