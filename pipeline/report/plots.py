"""The plots of one data set: a small panel per experiment, all on the same axes."""

import itertools
import re
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.plots.panels import POINTS, Columns, axis_limits, by_epoch, epoch_curves, lines, stretch, value_label
from pipeline.plots.svg import APART, svg
from pipeline.report.results import Evaluated

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
        by_epoch(axes, limits, max(epochs[-1] for epochs, _ in medians.values()))

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


def rollouts(one: Evaluated) -> dict[str, str]:
    """Experiment -> SVG of its free run: the truth and its own predictions fed back."""
    steps, truth = one.rollout.get("step", []), one.rollout.get("truth", [])
    return {
        name: lines(
            ("step", steps),
            truth,
            one.rollout[name],
            f"Free run of {name}: the truth and its own predictions, fed back",
            f"{one.name}/{name}/rollout",
            value_label(one.about),
        )
        for name in one.experiments
        if name in one.rollout
    }


def _level(one: Evaluated, baseline: str | None) -> float | None:
    """The baseline's score on validation, in the data set's metric."""
    if baseline is None:
        return None
    scores = one.experiments[baseline].final.get("validation")
    return float(scores[one.about.metric].mean) if scores else None
