"""Plots for MLflow's artifact pane: the page's own, each as a file."""

from typing import TYPE_CHECKING

from pipeline.evaluation.schema import About
from pipeline.files import write_text
from pipeline.plots import panels
from pipeline.plots.svg import standalone

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def curves(history: "pd.DataFrame", title: str, path: "Path") -> None:
    """Write an SVG of the losses by epoch, means over seeds; nothing where there are no epochs.

    Args:
        history: of a run.
        title: what a reader who can't see the plot is told.
        path: of the file.
    """
    if history.empty:
        return
    means = history.groupby("epoch").mean().reset_index()
    curve = {"epoch": means["epoch"].tolist()}
    curve |= {split: means[f"{split}_loss"].tolist() for split in ("train", "validation") if f"{split}_loss" in means}
    limits = panels.axis_limits([value for split, values in curve.items() if split != "epoch" for value in values])
    write_text(path, standalone(panels.epoch_curves([curve], limits, None, title, title)))


def predictions(table: "pd.DataFrame", about: About, experiment: str, path: "Path") -> None:
    """Write an SVG of a stretch of the test set; nothing for classes or where the stretch lacks the experiment.

    Args:
        table: predictions.csv of the evaluation.
        about: its data set.
        experiment: a column of it.
        path: of the file.
    """
    if about.kind != "classify" and experiment in table:
        write_text(path, standalone(panels.stretch(about, table.to_dict("list"), experiment)))
