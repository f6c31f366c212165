"""A benchmark's data set: rebuilt models beside what is published of others, and which of them really differ."""

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import tables
from pipeline.evaluation.answers import decided
from pipeline.evaluation.outcome import Outcome
from pipeline.report.panels import colour
from pipeline.report.results import Evaluated
from pipeline.report.svg import DASHED, MUTED, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILE = Path(__file__).with_name("published_scores.csv")
"""Of models that are not rebuilt here: iTransformer's paper, as SegRNN's README prints it, 96 timesteps back."""


def published(one: Evaluated) -> dict[str, float]:
    """Model that is not rebuilt -> its published figure of the data set's measure; empty for what is no benchmark."""
    table = tables.read(FILE, model=str, dataset=str, measure=str, value=float)
    rows = table[(table["dataset"] == one.name) & (table["measure"] == one.about.metric)]
    return dict(zip(rows["model"], rows["value"].tolist(), strict=True))


def panel(one: Evaluated, others: dict[str, float]) -> tuple[str, str]:
    """How many pairs of rebuilt models differ, in words; and an SVG of all of them, with lines for the others."""
    scores = {name: stat for name, entry in one.experiments.items() if (stat := entry.score(one.about.metric))}
    ranked = sorted(scores, key=lambda name: -scores[name].mean)

    def draw(axes: "Axes") -> None:
        for place, name in enumerate(ranked):
            stat, own = scores[name], colour(one, name)
            if ends := stat.prediction_interval_new_rows:
                axes.plot(ends, [place, place], color=own, alpha=0.4, linewidth=3)
            axes.plot([stat.mean], [place], "o", color=own, markersize=3.5)
        for place, (model, value) in enumerate(sorted(others.items(), key=lambda other: other[1])):
            axes.axvline(value, color=MUTED, linestyle=DASHED, linewidth=0.8)
            axes.annotate(f"{model} ", (value, len(ranked) - 0.4 + 0.8 * place), ha="right", color=MUTED, fontsize=7)
        axes.set_yticks(range(len(ranked)), [one.titles[name] for name in ranked])
        axes.set_ylim(-0.6, len(ranked) + 0.8 * len(others))
        axes.set_xlabel(one.about.metric.upper())

    words = pairs(one, ranked[::-1])
    return words, svg(draw, (4.6, 2.6), f"{one.name}, beside published models: {words}", f"{one.name}/benchmark")


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
