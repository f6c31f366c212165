"""What others published, beside ours: scores of models that are not rebuilt here, and curves of models that are.

The scores are from iTransformer's paper, as SegRNN's README prints it, 96 timesteps back. The curves are those of
F. Chollet's notebooks 6.2 and 6.3 (Deep Learning with Python, first edition; MIT), which keep every epoch's log. Jena's
are of ten-minute rows, and the band beneath is of every sixth row. Two of these listings were run again by somebody
else, who kept the logs, too (tessy1234/data_science, notebooks 05 and 07): the dots.
"""

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import tables
from pipeline.evaluation.answers import decided
from pipeline.evaluation.intervals import prediction
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.scores import MIN_SEEDS
from pipeline.report.panels import Plots, by_epoch, colour
from pipeline.report.results import Evaluated
from pipeline.report.svg import DASHED, INK, MUTED, svg

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SCORES, CURVES = (Path(__file__).with_name(f"published_{what}.csv") for what in ("scores", "curves"))
"""Model, data set and measure -> a figure; experiment, measure and epoch -> that of each who ran it, the notebook's own
first.
"""

COLUMNS = {"validation_accuracy": "accuracy", "validation_loss": "mae"}
"""Column of history.csv -> what it holds of the published curves."""


def scores(one: Evaluated) -> Plots | None:
    """How many pairs of rebuilt models differ, in words; and all of them drawn, with lines for the others."""
    if not (beside := others(one)):
        return None
    stats = {name: stat for name, entry in one.experiments.items() if (stat := entry.score(one.about.metric))}
    ranked = sorted(stats, key=lambda name: -stats[name].mean)

    def draw(axes: "Axes") -> None:
        for place, name in enumerate(ranked):
            stat, own = stats[name], colour(one, name)
            if ends := stat.prediction_interval_new_rows:
                axes.plot(ends, [place, place], color=own, alpha=0.4, linewidth=3)
            axes.plot([stat.mean], [place], "o", color=own, markersize=3.5)
        for place, (model, value) in enumerate(sorted(beside.items(), key=lambda other: other[1])):
            axes.axvline(value, color=MUTED, linestyle=DASHED, linewidth=0.8)
            axes.annotate(f"{model} ", (value, len(ranked) - 0.4 + 0.8 * place), ha="right", color=MUTED, fontsize=7)
        axes.set_yticks(range(len(ranked)), [one.titles[name] for name in ranked])
        axes.set_ylim(-0.6, len(ranked) + 0.8 * len(beside))
        axes.set_xlabel(one.about.metric.upper())

    words = pairs(one, ranked[::-1])
    drawn = svg(draw, (4.6, 2.6), f"{one.name}, beside published models: {words}", f"{one.name}/benchmark")
    caption = (
        "Dots: our mean over seeds, by the corrected protocol; bars: where one more run on other weeks would lie. "
        "Dashed: published figures of models that are not rebuilt here, one run each, from 96 timesteps (ours see 336)."
    )
    return Plots("Beside the field", caption, {words: drawn})


def others(one: Evaluated) -> dict[str, float]:
    """Model that is not rebuilt -> its published figure of the data set's measure; empty for what is no benchmark."""
    table = tables.read(SCORES, model=str, dataset=str, measure=str, value=float)
    rows = table[(table["dataset"] == one.name) & (table["measure"] == one.about.metric)]
    return dict(zip(rows["model"], rows["value"].tolist(), strict=True))


def pairs(one: Evaluated, names: list[str]) -> str:
    """Which differences exceed the scatter of seeds and weeks, corrected for how many pairs there are."""
    found = decided(one.evaluation, {pair: pair for pair in combinations(names, 2)})
    unsure = [
        " and ".join(one.titles[name] for name in pair)
        for pair, (_, _, outcome) in found.items()
        if outcome == Outcome.UNSURE
    ]
    words = f"{len(found) - len(unsure)} of {len(found)} differences exceed the scatter of seeds and weeks"
    return f"{words}; not: {', '.join(unsure)}" if unsure else words


def curves(one: Evaluated) -> Plots | None:
    """Does each epoch's figure lie where one more run of ours would?"""
    if not (found := bands(one)):
        return None
    what = "accuracy" if one.about.kind == "classify" else "loss"
    caption = (
        f"Line: the {what} on validation that the source of documents 001 and 002 logged, one run; dots: somebody "
        "else's run of the same listing. Band: where one more run of ours would lie at that epoch (95 %)."
    )
    return Plots("Published curves", caption, dict(_curve(one, name, band) for name, band in found.items()))


def bands(one: Evaluated) -> "dict[str, pd.DataFrame]":
    """Experiment of the data set -> by epoch, where one more run would lie (95 %), `low` and `high`, and a column for
    each who published a figure; of the epochs with enough seeds.
    """
    table = tables.read(CURVES, experiment=str, measure=str, epoch=int)
    found = {}
    for (name, measure), curve in table.groupby(["experiment", "measure"], sort=False):
        rows = one.history[one.history["experiment"] == name]
        if name not in one.experiments or measure not in rows:
            continue
        told = curve.set_index("epoch").drop(columns=["experiment", "measure"]).dropna(axis="columns")
        seeds = {epoch: each.dropna().tolist() for epoch, each in rows.groupby("epoch")[measure]}
        ends = {
            epoch: both
            for epoch in told.index
            if len(values := seeds.get(epoch, [])) >= MIN_SEEDS and (both := prediction(values, COLUMNS[measure]))
        }
        if ends:
            low, high = zip(*ends.values(), strict=True)
            found[name] = told.loc[[*ends]].assign(low=low, high=high)
    return found


def _curve(one: Evaluated, name: str, band: "pd.DataFrame") -> tuple[str, str]:
    """What a panel shows, in words with the share of epochs inside; and its SVG."""
    low, high, told = band["low"], band["high"], band.drop(columns=["low", "high"])

    def draw(axes: "Axes") -> None:
        axes.fill_between(band.index, low, high, color=colour(one, name), alpha=0.2, linewidth=0)
        own, *again = told
        axes.plot(told[own], color=INK, linewidth=1.2)
        for who in again:
            axes.plot(told[who], ".", color=INK, markersize=3)
        by_epoch(axes, band.to_numpy().ravel().tolist(), band.index[-1])
        axes.set_ylabel("accuracy" if one.about.kind == "classify" else "MAE, standardised")

    inside = {who: told[who].between(low, high).sum() for who in told}
    words = ", ".join(f"{count} of {len(band)} of {who}'s epochs inside" for who, count in inside.items())
    words = f"{one.titles[name]}: {words}"
    return words, svg(draw, (3.3, 1.8), f"{one.name}, published curve of {words}", f"{one.name}/published/{name}")
