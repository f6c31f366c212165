import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.config import params
from pipeline.evaluation.intervals import Difference, Part
from pipeline.evaluation.schema import Stat
from pipeline.report import drawing, plots
from pipeline.report.results import load


def test_a_plot_has_no_colour_no_style_and_no_id_of_its_own_short_numbers_and_whole_labels():
    def svg(name):
        return drawing.svg(draw, (2, 2), "a <title>\x1b", name)

    def draw(axes):
        axes.plot([0, 1, 2], [0, 0.0123, 1], color=drawing.FAMILY["gru"], gid="curve-3")
        axes.scatter([0, 1], [0, 1], color=drawing.FAMILY["gru"])
        axes.set_yticks([0.0, 0.0123], ["zero 0.01234", "0.0123"])

    text = svg("d/e loss")
    assert text == svg("d/e loss"), "the same bytes each time"
    assert text.startswith('<svg viewBox="0 0 144 144" role="img"')
    assert "<title>a &lt;title&gt;\\x1b</title>" in text
    assert "var(--gru)" in text
    assert not re.search(r"#[0-9a-f]{6}\b|<style|font-family", text)
    assert ">zero 0.01234</text>" in text
    assert re.findall(r'class="([^"]*)"', text) == ["curve-3"]
    ids, others = (re.findall(r' id="([^"]*)"', each) for each in (text, svg("d/f loss")))
    assert {*re.findall(r'(?:url\(|href=")#([^)"]*)', text)} == {*ids}
    assert not {*ids} & {*others}, "no two plots of a page share one"


def test_what_is_compared_is_drawn_and_each_curve_of_one_plot_can_be_chosen(evaluated):
    results = load(evaluated, params.load(evaluated.params))
    waves = next(dataset for dataset in results.built if dataset.name == "waves")
    groups = plots.plots(waves, ["waves_perceptron", "waves_last_value", "waves_node"])
    drawn = {group.title: group for group in groups}
    forecasts, curves = drawn["Forecasts beside the truth"], drawn["Loss by epoch"]
    assert [*forecasts.panels] == ["best example", "median example", "worst example"]
    titles = [waves.titles[name] for name in ("waves_node", "waves_perceptron")]
    assert [words for words, _, _ in forecasts.key] == ["truth", *titles]
    assert [words for words, _, _ in curves.key] == titles[::-1]
    colours = re.findall(r'class="(curve-\d)"><path [^>]*stroke: var\(--(\w+)\)', curves.overlay)
    assert colours == [("curve-0", "dense"), ("curve-1", "rnn")], "of the family, as in every plot"
    assert re.findall(r'"(band-\d)"', curves.overlay) == ["band-0"], "one seed has no band"


def test_a_curve_is_the_mean_and_the_band_of_all_seeds_to_the_end_of_the_longest_whatever_epochs_were_kept():
    """Each seed has every second epoch, another half than its neighbour's; the last one ends early."""
    seeds = [np.arange(1, 101, 2), np.append(1, np.arange(2, 101, 2)), np.arange(1, 40, 2)]
    lines = [("e", seed, epoch, seed + epoch / 100) for seed, epochs in enumerate(seeds) for epoch in epochs]
    history = pd.DataFrame(lines, columns=["experiment", "seed", "epoch", "train_loss"])
    curve = plots.curve(history, "e", "train_loss")
    assert (curve.index[0], curve.index[-1], len(curve)) == (1, 100, plots.POINTS)
    for epoch, *values in curve[["mean", "min", "max"]].itertuples():
        of_seeds = [seed + min(epoch, ends[-1]) / 100 for seed, ends in enumerate(seeds)]
        assert values == pytest.approx([np.mean(of_seeds), min(of_seeds), max(of_seeds)])
    assert plots.curve(history, "none", "train_loss") is plots.curve(history, "e", "validation_loss") is None


@pytest.mark.parametrize("unit", [60, 3600, 86_400, 30 * 86_400], ids=["minutes", "hours", "days", "months"])
def test_times_of_any_range_have_some_dates_and_no_warning(unit):
    from matplotlib.figure import Figure

    for count in [2, 5, 12, 33, 66, 71]:  # some are those that fewer ticks have no interval for
        axes = Figure().subplots()
        axes.plot(drawing.dates(axes, [1.6e9, 1.6e9 + count * unit]), [0, 1])
        assert 2 <= np.size(axes.get_xticks()) <= 12, count


def built(name, **models):
    """A data set with these (mean, share, layer) of each experiment, each pair with a standard error of a tenth."""

    def difference(_, name, other):
        return Difference.of([models[name][0]], [models[other][0]], Part(0.01, 999))

    def entry(mean, share, layer):
        stat = Stat(mean=mean, std=0.01, min=mean, max=mean, values=[mean] * 3, mean_ci=(mean - 0.01, mean + 0.01))
        own = {"share": share, "trials": 12, "layers": [layer], "recurrent": layer == "GRU", "score": lambda _: stat}
        return SimpleNamespace(**own, chosen={"train": {"mse": stat}}, method="", converged=True)

    about = SimpleNamespace(metric="mse", examples={"train": 8000}, days=None)
    experiments = {model: entry(*options) for model, options in models.items()}
    return SimpleNamespace(
        name=name,
        titles={model: model.removeprefix(f"{name}_").replace("gru", "GRU") for model in models},
        families=dict.fromkeys(models, "simple"),
        experiments=experiments,
        about=about,
        evaluation=SimpleNamespace(dataset=about, difference=difference, experiments=experiments),
    )


def test_a_network_and_its_opponent_are_compared_by_the_fraction_of_rows_that_they_saw():
    networks = {"gru": (0.1, 1, "GRU"), "gru_half": (0.2, 0.5, "GRU"), "gru_quarter": (0.3, 0.25, "GRU")}
    others = {"map": (0.15, 1, ""), "map_half": (0.21, 0.5, ""), "map_quarter": (0.2, 0.25, ""), "plain": (0.3, 1, "x")}
    dataset = built("waves", **others, **networks)
    network, opponent = plots.by_fraction(dataset)
    assert (network, opponent[0.5]) == ({0.25: "gru_quarter", 0.5: "gru_half", 1: "gru"}, "map_half")
    ((words, drawn),) = plots.data_size(dataset).panels.items()
    assert words == "GRU against map, by train examples: 2,000: worse, 4,000: cannot tell, 8,000: better"
    assert drawn.startswith("<svg")
    assert plots.data_size(built("waves", gru=(0.1, 1, "GRU"))) is None


def test_a_published_epoch_lies_inside_where_one_more_run_would():
    values = np.random.default_rng(0).uniform(0.7, 0.9, (5, 10))
    rows = [("imdb_rnn", seed, epoch, values[seed, epoch - 1]) for seed in range(5) for epoch in range(1, 11)]
    imdb = built("imdb", imdb_rnn=(0.8, 1, "SimpleRNN"))
    imdb.about.kind = "classify"
    imdb.history = pd.DataFrame(rows, columns=["experiment", "seed", "epoch", "validation_accuracy"])
    band = plots.bands(imdb)["imdb_rnn"]
    assert ([*band.index], [*band["Chollet"]][:2]) == ([*range(1, 11)], [0.7758, 0.7742])
    logits = np.log(values / (1 - values))
    reach = stats.t.ppf(0.975, 4) * logits.std(axis=0, ddof=1) * np.sqrt(1 + 1 / 5)
    for column, ends in (("low", logits.mean(axis=0) - reach), ("high", logits.mean(axis=0) + reach)):
        assert band[column].tolist() == pytest.approx(1 / (1 + np.exp(-ends)))
    inside = sum(a <= value <= b for a, value, b in zip(band["low"], band["Chollet"], band["high"], strict=True))
    ((words, _),) = plots.published_curves(imdb).panels.items()
    assert words == f"rnn: {inside} of 10 of Chollet's epochs inside"
