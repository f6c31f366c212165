import re

import numpy as np
import pandas as pd
import pytest

from pipeline.config import params
from pipeline.report import panels, plots
from pipeline.report.results import load


def test_what_is_compared_is_drawn_and_each_curve_of_one_plot_can_be_chosen(evaluated):
    results = load(evaluated, params.load(evaluated.params))
    waves = next(one for one in results.built if one.name == "waves")
    drawn = {each.title: each for each in plots.plots(waves, ["waves_perceptron", "waves_last_value", "waves_node"])}
    assert [*drawn["Predictions on test"].panels] == ["waves_node", "waves_perceptron"]
    overlay = drawn["Loss by epoch"].overlay
    assert [*overlay.looks] == ["waves_perceptron", "waves_node"]
    colours = re.findall(r'data-curve="(\d)" [^>]*stroke: var\(--line-(\d)\)', overlay.svg)
    assert colours == [("0", "0"), ("1", "1")]


def test_a_curve_is_the_median_over_the_seeds_that_are_still_trained_whatever_epochs_were_kept():
    """Each seed has every second epoch, another half than its neighbour's; the last one ends early."""
    seeds = [np.arange(1, 101, 2), np.arange(2, 101, 2), np.arange(1, 40, 2)]
    lines = [("e", seed, epoch, seed + epoch / 100) for seed, epochs in enumerate(seeds) for epoch in epochs]
    history = pd.DataFrame(lines, columns=["experiment", "seed", "epoch", "train_loss"])
    epochs, values = plots.median(history, "e", "train_loss")
    assert (epochs[0], epochs[-1], len(epochs)) == (1, 100, plots.POINTS)
    for epoch, value in zip(epochs, values, strict=True):
        there = [seed for seed, each in enumerate(seeds) if each[0] <= epoch <= each[-1]]
        assert value == pytest.approx(np.median(there) + epoch / 100)
    assert plots.median(history, "none", "train_loss") == plots.median(history, "e", "validation_loss") == ([], [])


@pytest.mark.parametrize("unit", [60, 3600, 86_400, 30 * 86_400], ids=["minutes", "hours", "days", "months"])
def test_times_of_any_range_have_some_dates_and_no_warning(unit):
    from matplotlib.figure import Figure

    for count in [2, 5, 12, 33, 66, 71]:  # some are those that fewer ticks have no interval for
        axes = Figure().subplots()
        axes.plot(panels.dates(axes, [1.6e9, 1.6e9 + count * unit]), [0, 1])
        assert 2 <= np.size(axes.get_xticks()) <= 12, count
