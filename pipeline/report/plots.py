"""The plots of one data set: a small panel per experiment, all on the same axes."""

import itertools
import re
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.evaluation.schema import About
from pipeline.report.results import Columns, Evaluated
from pipeline.report.svg import APART, MAIN, MUTED, OTHER, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

POINTS = 120
"""Epochs that the curves of a panel show at most, but for 15 of each seed."""

SHOWN = 160
"""Examples in a panel at most, but for a series, whose whole excerpt is shown."""

LOG_ABOVE = 4.0
"""Where the greatest value is this many times the least, the axis is logarithmic."""


def loss_curves(one: Evaluated, baseline: str | None) -> dict[str, str]:
    """Experiment -> SVG of its loss by epoch: train dashed, validation solid, each seed a line, the baseline dotted."""
    curves = {name: _curves(seeds, "loss") for name, seeds in one.history.items() if name in one.experiments}
    limits = axis_limits(_values(curves))
    svgs = {}
    for name, seeds in curves.items():
        level = _level(one, baseline) if one.experiments[name].loss == one.about.metric else None
        first = seeds[0]
        parts = [f"{key} {first[key][-1]:.4g}" for key in ("train", "validation") if first[key]]
        title = f"Loss of {name} by epoch, {_seeds(len(seeds))}; the first ends at: {', '.join(parts)}"
        svgs[name] = epoch_curves(seeds, limits, level, title, f"{one.name}/{name}/loss")
    return svgs


CHOSEN = 5
"""Experiments whose curves are in one plot before a reader chooses: the best ones."""

DASHES = ("solid", "dashed", "dotted")


@dataclass(frozen=True)
class Overlay:
    """Curves of many experiments in one plot, of which a reader chooses.

    Attributes:
        chosen: how many, from the first, are shown until then.
        svg: the curves, each with its number from 0 as `data-curve`.
        names: of the experiments, by that number.
        looks: how the line of each is drawn: the number of its colour, and "solid", "dashed" or "dotted".
    """

    chosen: int
    svg: str
    names: list[str]
    looks: list[tuple[int, str]]


def overlay(one: Evaluated, names: Sequence[str]) -> Overlay | None:
    """The loss of each experiment by epoch: median over seeds, on validation where there is one, else on train.

    Args:
        one: the data set.
        names: in which order; those without a curve are left out.

    Returns:
        None where there are no two to compare.
    """
    found = {name: _median(one.history[name]) for name in names if name in one.history}
    medians = {name: curve for name, curve in found.items() if len(curve[0]) > 1}
    if len(medians) < 2:
        return None
    # One that starts far off would press those that are shown into a line: of the others the second half has room.
    rows = [
        values if place < CHOSEN else values[len(values) // 2 :] for place, (_, values) in enumerate(medians.values())
    ]
    limits = axis_limits([value for values in rows for value in values])
    looks = [(place % len(APART), DASHES[place // len(APART) % len(DASHES)]) for place in range(len(medians))]

    def draw(axes: "Axes") -> None:
        for (epochs, values), (colour, dash) in zip(medians.values(), looks, strict=True):
            axes.plot(epochs, values, color=APART[colour], linestyle=dash)
        _by_epoch(axes, limits, max(epochs[-1] for epochs, _ in medians.values()))

    text = svg(draw, (4.6, 2.3), f"Loss by epoch of {', '.join(medians)}", f"{one.name}/overlay")
    numbers = itertools.count()
    text = re.sub(r"<path (?=[^>]*clip-path)", lambda _: f'<path data-curve="{next(numbers)}" ', text)
    return Overlay(CHOSEN, text, list(medians), looks)


def _median(seeds: Mapping[int, Columns]) -> tuple[list[float], list[float]]:
    """The epochs that all seeds have, at most `POINTS` / 2, and the median loss there."""
    import numpy as np

    key = "validation_loss" if "validation_loss" in next(iter(seeds.values())) else "train_loss"
    each = [dict(zip(one["epoch"], one.get(key, []), strict=False)) for one in seeds.values()]
    epochs = sorted(set.intersection(*(set(one) for one in each)))
    if not epochs:
        return [], []
    kept = np.unique(np.linspace(0, len(epochs) - 1, min(POINTS // 2, len(epochs))).round().astype(int))
    return [epochs[i] for i in kept], [statistics.median(one[epochs[i]] for one in each) for i in kept]


def accuracy_curves(one: Evaluated, baseline: str | None) -> dict[str, str]:
    """Experiment -> SVG of its accuracy by epoch, drawn as the loss."""
    curves = {
        name: _curves(seeds, "accuracy")
        for name, seeds in one.history.items()
        if name in one.experiments and "validation_accuracy" in next(iter(seeds.values()))
    }
    level = _level(one, baseline)
    limits = axis_limits([*_values(curves), *([level] if level is not None else [])], log=False)
    return {
        name: epoch_curves(
            seeds,
            limits,
            level,
            f"Accuracy of {name} by epoch, {_seeds(len(seeds))}; best on validation, first seed: "
            f"{max(seeds[0]['validation']):.4g}",
            f"{one.name}/{name}/accuracy",
        )
        for name, seeds in curves.items()
    }


def _curves(seeds: Mapping[int, Columns], what: str) -> list[Columns]:
    """Of each seed: epoch, and train and validation where they were recorded."""
    return [
        {key: columns.get(f"{key}_{what}", []) for key in ("train", "validation")} | {"epoch": columns["epoch"]}
        for columns in seeds.values()
    ]


def _values(curves: Mapping[str, list[Columns]]) -> list[float]:
    found = (one[key] for seeds in curves.values() for one in seeds for key in ("train", "validation"))
    return [value for values in found for value in values]


def _seeds(count: int) -> str:
    return f"{count} seed{'s' if count > 1 else ''}"


def predictions(one: Evaluated, shown: Collection[str] = ()) -> dict[str, str]:
    """Experiment -> SVG of a stretch of its test set: the truth and what it predicted; of all, or of those shown."""
    names = [name for name in one.experiments if name in one.excerpt and (name in shown or not shown)]
    return {name: stretch(one.about, one.excerpt, name) for name in names}


def stretch(about: About, excerpt: Columns, name: str) -> str:
    """SVG of a stretch of a test set: the truth and what an experiment predicted.

    Args:
        about: the data set.
        excerpt: predictions.csv.
        name: the experiment, a column of it.
    """
    title = f"Test set of {about.name}: the truth and the predictions of {name}"
    salt = f"{about.name}/{name}/predictions"
    if about.layout == "examples":
        return _scatter(excerpt["truth"][:SHOWN], excerpt[name][:SHOWN], title, salt, about.scale.unit)
    return _lines(_axis(excerpt), excerpt["truth"], excerpt[name], title, salt, _value_label(about))


def rollouts(one: Evaluated) -> dict[str, str]:
    """Experiment -> SVG of its free run: the truth and its own predictions fed back."""
    steps, truth = one.rollout.get("step", []), one.rollout.get("truth", [])
    return {
        name: _lines(
            ("step", steps),
            truth,
            one.rollout[name],
            f"Free run of {name}: the truth and its own predictions, fed back",
            f"{one.name}/{name}/rollout",
            _value_label(one.about),
        )
        for name in one.experiments
        if name in one.rollout
    }


def _value_label(about: About) -> str:
    return f"{about.scale.quantity}, {about.scale.unit}" if about.scale.unit else ""


def _axis(excerpt: Columns) -> tuple[str, list[float]]:
    if "x" in excerpt:
        return "x", excerpt["x"]
    if "time" in excerpt:
        return "", excerpt["time"]
    return "step of the test set", excerpt["index"]


def _level(one: Evaluated, baseline: str | None) -> float | None:
    """The baseline's score on validation, in the data set's metric."""
    if baseline is None:
        return None
    scores = one.experiments[baseline].final.get("validation")
    return float(scores[one.about.metric].mean) if scores else None


def axis_limits(values: Sequence[float], *, log: bool = True) -> tuple[float, float, bool]:
    """Least, greatest, and whether the axis is logarithmic."""
    if not values:
        return 0.0, 1.0, False
    low, high = min(values), max(values)
    if log and low > 0 and high / low > LOG_ABOVE:
        return low / 1.2, high * 1.2, True
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin, False


def epoch_curves(
    seeds: Sequence[Columns], limits: tuple[float, float, bool], level: float | None, title: str, salt: str
) -> str:
    """SVG of curves by epoch: of each seed `train` dashed and `validation` solid, a level dotted.

    Args:
        seeds: of each one `epoch`, and a list of as many values for each line.
        limits: as `axis_limits` gives them.
        level: of a baseline, None for none.
        title: what a reader who can't see the plot is told.
        salt: distinct for every plot on a page.
    """

    def draw(axes: "Axes") -> None:
        import numpy as np

        points = max(15, POINTS // len(seeds))
        width, alpha = (0.7, 0.6) if len(seeds) > 1 else (None, None)
        for key, style, colour in (("train", (0, (3, 2)), OTHER), ("validation", "-", MAIN)):
            for curve in seeds:
                epochs, values = curve["epoch"], curve.get(key)
                if values:
                    kept = np.unique(np.linspace(0, len(epochs) - 1, min(points, len(epochs))).round().astype(int))
                    marker = "." if len(values) == 1 else ""
                    x, y = [epochs[i] for i in kept], [values[i] for i in kept]
                    axes.plot(x, y, linestyle=style, color=colour, marker=marker, linewidth=width, alpha=alpha)
        if level is not None and limits[0] <= level <= limits[1]:
            axes.axhline(level, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
        _by_epoch(axes, limits, max(curve["epoch"][-1] for curve in seeds), seeds[0]["epoch"][0])

    return svg(draw, (2.0, 1.4), title, salt)


def _by_epoch(axes: "Axes", limits: tuple[float, float, bool], last: float, first: float = 1) -> None:
    from matplotlib.ticker import MaxNLocator

    if limits[2]:
        axes.set_yscale("log")
        axes.minorticks_off()
        logarithmic(axes.yaxis, limits[1] / limits[0])
    axes.set_ylim(limits[0], limits[1])
    axes.set_xlim(left=min(1, first), right=max(2, last))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlabel("epoch")


def dates(axes: "Axes", seconds: list[float]) -> list[float]:
    """Seconds since 1970 as an axis of dates: what to draw at."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    # With fewer, some ranges (60 to 72 hours, 30 to 36 months) have no interval that fits, and it warns.
    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    return [second / 86_400 for second in seconds]


def logarithmic(axis: "Axis", ratio: float) -> None:
    """Label a logarithmic axis: at 1, 2 and 5 where it spans less than two decades, else at powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if ratio < 100 else (1,), numticks=5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _lines(
    axis: tuple[str, list[float]], truth: list[float], predicted: list[float], title: str, salt: str, label: str
) -> str:
    def draw(axes: "Axes") -> None:
        words, x = axis
        if not words:
            x = dates(axes, x)
        axes.plot(x, truth, color=OTHER, linewidth=2.2, alpha=0.5)
        axes.plot(x, predicted, color=MAIN, linewidth=1.2)
        low, high = min(truth), max(truth)
        reach = 0.35 * (high - low) or 1.0
        axes.set_ylim(low - reach, high + reach)
        if x[0] < x[-1]:
            axes.set_xlim(x[0], x[-1])
        axes.set_xlabel(words)
        axes.set_ylabel(label)

    return svg(draw, (3.3, 1.8), title, salt)


def _scatter(truth: list[float], predicted: list[float], title: str, salt: str, unit: str) -> str:
    def draw(axes: "Axes") -> None:
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        low, high = min(truth), max(truth)
        axes.plot([low, high], [low, high], color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
        # One path of dots is a tenth of the size of as many markers.
        vertices = [vertex for x, y in zip(truth, predicted, strict=True) for vertex in ((x, y), (x, y))]
        path = Path(vertices, [Path.MOVETO, Path.LINETO] * len(truth))
        axes.add_patch(PathPatch(path, edgecolor=MAIN, linewidth=2.2, capstyle="round", alpha=0.6, fill=False))
        reach = 0.1 * (high - low) or 1.0
        axes.set_xlim(low - reach, high + reach)
        axes.set_ylim(low - reach, high + reach)
        axes.set_xlabel(f"truth {unit}".strip())
        axes.set_ylabel("prediction")

    return svg(draw, (2.0, 1.8), title, salt)
