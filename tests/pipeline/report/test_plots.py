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
    forecasts = drawn["Forecasts beside the truth"]
    assert [*forecasts.panels] == ["best example", "median example", "worst example"]
    assert [words for words, _, _ in forecasts.key] == [
        "truth",
        waves.titles["waves_node"],
        waves.titles["waves_perceptron"],
    ]
    curves = drawn["Loss by epoch"]
    assert [words for words, _, _ in curves.key] == [waves.titles[name] for name in ("waves_perceptron", "waves_node")]
    colours = re.findall(r'data-curve="(\d)" [^>]*stroke: var\(--(\w+)\)', curves.overlay)
    assert colours == [("0", "dense"), ("1", "rnn")], "of the family, as in every plot"
    assert re.findall(r'data-band="(\d)"', curves.overlay) == ["0"], "one seed has no band"


def test_a_curve_is_the_mean_and_the_band_of_all_seeds_to_the_end_of_the_longest_whatever_epochs_were_kept():
    """Each seed has every second epoch, another half than its neighbour's; the last one ends early."""
    seeds = [np.arange(1, 101, 2), np.append(1, np.arange(2, 101, 2)), np.arange(1, 40, 2)]
    lines = [("e", seed, epoch, seed + epoch / 100) for seed, epochs in enumerate(seeds) for epoch in epochs]
    history = pd.DataFrame(lines, columns=["experiment", "seed", "epoch", "train_loss"])
    found = plots.curve(history, "e", "train_loss")
    assert (found.index[0], found.index[-1], len(found)) == (1, 100, plots.POINTS)
    for epoch, *values in found[["mean", "min", "max"]].itertuples():
        each = [seed + min(epoch, ends[-1]) / 100 for seed, ends in enumerate(seeds)]
        assert values == pytest.approx([np.mean(each), min(each), max(each)])
    assert plots.curve(history, "none", "train_loss") is plots.curve(history, "e", "validation_loss") is None


@pytest.mark.parametrize("unit", [60, 3600, 86_400, 30 * 86_400], ids=["minutes", "hours", "days", "months"])
def test_times_of_any_range_have_some_dates_and_no_warning(unit):
    from matplotlib.figure import Figure

    for count in [2, 5, 12, 33, 66, 71]:  # some are those that fewer ticks have no interval for
        axes = Figure().subplots()
        axes.plot(panels.dates(axes, [1.6e9, 1.6e9 + count * unit]), [0, 1])
        assert 2 <= np.size(axes.get_xticks()) <= 12, count
