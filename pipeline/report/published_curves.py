"""Published curves over the band of our seeds: does each epoch's figure lie where one more run would?

The curves are those of F. Chollet's notebooks 6.2 and 6.3 (Deep Learning with Python, first edition; MIT), which keep
every epoch's log. Jena's are of ten-minute rows, and the band beneath is of every sixth row. Two of these listings were
run again by somebody else, who kept the logs, too (tessy1234/data_science, notebooks 05 and 07): the dots.
"""

from dataclasses import dataclass
from itertools import chain
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
"""Experiment, measure and epoch -> the figure of each who ran it; the notebook's own first."""

SIZE = (3.3, 1.8)
"""Inches."""

COLUMNS = {"validation_accuracy": "accuracy", "validation_loss": "mae"}
"""Column of history.csv -> what it holds of these."""

LEAST = 3
"""Seeds that a band needs."""


@dataclass(frozen=True)
class Band:
    """Published curves of one experiment, and where one more run of ours would lie (95 %).

    Attributes:
        experiment: that rebuilds it.
        epochs, low, high: of each epoch that both have.
        published: who ran it -> the figure of each of these epochs; the notebook's own first.
    """

    experiment: str
    epochs: list[int]
    low: list[float]
    high: list[float]
    published: dict[str, list[float]]

    def inside(self, who: str) -> int:
        """How many epochs' figures lie in the band."""
        return sum(a <= value <= b for a, value, b in zip(self.low, self.published[who], self.high, strict=True))


def bands(one: Evaluated) -> list[Band]:
    """Those of a data set whose experiment is built with enough seeds."""
    table = tables.read(FILE, experiment=str, measure=str, epoch=int)
    found = []
    for (name, measure), curve in table.groupby(["experiment", "measure"], sort=False):
        rows = one.history[one.history["experiment"] == name]
        if name not in one.experiments or measure not in rows:
            continue
        seeds = {int(epoch): each[measure].dropna().tolist() for epoch, each in rows.groupby("epoch")}
        told = curve.set_index("epoch").drop(columns=["experiment", "measure"]).dropna(axis="columns")
        ends = {
            int(epoch): both
            for epoch in told.index
            if len(values := seeds.get(int(epoch), [])) >= LEAST and (both := prediction(values, COLUMNS[str(measure)]))
        }
        if ends:
            low, high = ([both[side] for both in ends.values()] for side in (0, 1))
            published = {str(who): values.loc[[*ends]].tolist() for who, values in told.items()}
            found.append(Band(str(name), [*ends], low, high, published))
    return found


def panel(one: Evaluated, band: Band) -> tuple[str, str]:
    """What a panel shows, in words with the share of epochs inside; and its SVG."""

    def draw(axes: "Axes") -> None:
        axes.fill_between(band.epochs, band.low, band.high, color=colour(one, band.experiment), alpha=0.2, linewidth=0)
        own, *again = band.published.values()
        axes.plot(band.epochs, own, color=INK, linewidth=1.2)
        for values in again:
            axes.plot(band.epochs, values, ".", color=INK, markersize=3)
        by_epoch(axes, [*band.low, *band.high, *chain.from_iterable(band.published.values())], band.epochs[-1])
        axes.set_ylabel("accuracy" if one.about.kind == "classify" else "MAE, standardised")

    told = ", ".join(f"{band.inside(who)} of {len(band.epochs)} of {who}'s epochs inside" for who in band.published)
    words = f"{one.titles[band.experiment]}: {told}"
    return words, svg(draw, SIZE, f"{one.name}, published curve of {words}", f"{one.name}/published/{band.experiment}")
