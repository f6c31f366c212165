"""Published curves over the band of our seeds: does each epoch's figure lie where one more run would?

The curves are those of F. Chollet's notebooks 6.2 and 6.3 (Deep Learning with Python, first edition; MIT), which keep
every epoch's log. Jena's are of ten-minute rows, and the band beneath is of every sixth row.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import tables
from pipeline.evaluation.intervals import prediction
from pipeline.report.panels import by_epoch, colour
from pipeline.report.results import Evaluated
from pipeline.report.svg import INK, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILE = Path(__file__).with_name("published_curves.csv")

SIZE = (3.3, 1.8)
"""Inches."""

COLUMNS = {"validation_accuracy": "accuracy", "validation_loss": "mae"}
"""Column of history.csv -> what it holds of these."""

LEAST = 3
"""Seeds that a band needs."""


@dataclass(frozen=True)
class Band:
    """One published curve, epoch by epoch, and where one more run of ours would lie (95 %).

    Attributes:
        experiment: that rebuilds it.
        epochs, published, low, high: of each epoch that both have.
    """

    experiment: str
    epochs: list[int]
    published: list[float]
    low: list[float]
    high: list[float]

    @property
    def inside(self) -> int:
        """How many epochs' figures lie in the band."""
        return sum(a <= value <= b for a, value, b in zip(self.low, self.published, self.high, strict=True))


def bands(one: Evaluated) -> list[Band]:
    """Those of a data set whose experiment is built with enough seeds."""
    table = tables.read(FILE, experiment=str, measure=str, epoch=int, value=float)
    found = []
    for (name, measure), curve in table.groupby(["experiment", "measure"], sort=False):
        rows = one.history[one.history["experiment"] == name]
        if name not in one.experiments or measure not in rows:
            continue
        seeds = {int(epoch): each[measure].dropna().tolist() for epoch, each in rows.groupby("epoch")}
        told = {
            int(epoch): (float(value), ends)
            for epoch, value in zip(curve["epoch"], curve["value"], strict=True)
            if len(values := seeds.get(int(epoch), [])) >= LEAST and (ends := prediction(values, COLUMNS[str(measure)]))
        }
        if told:
            low, high = ([ends[side] for _, ends in told.values()] for side in (0, 1))
            found.append(Band(str(name), [*told], [value for value, _ in told.values()], low, high))
    return found


def panel(one: Evaluated, band: Band) -> tuple[str, str]:
    """What a panel shows, in words with the share of epochs inside; and its SVG."""

    def draw(axes: "Axes") -> None:
        axes.fill_between(band.epochs, band.low, band.high, color=colour(one, band.experiment), alpha=0.2, linewidth=0)
        axes.plot(band.epochs, band.published, color=INK, marker="o", markersize=2.5, linewidth=0.8)
        by_epoch(axes, [*band.low, *band.high, *band.published], band.epochs[-1])
        axes.set_ylabel("accuracy" if one.about.kind == "classify" else "MAE, standardised")

    title = one.titles.get(band.experiment, band.experiment)
    words = f"{title}: {band.inside} of {len(band.epochs)} epochs inside"
    return words, svg(draw, SIZE, f"{one.name}, published curve of {words}", f"{one.name}/published/{band.experiment}")
