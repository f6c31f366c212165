from types import SimpleNamespace

import pandas as pd
import pytest

from pipeline.config import params
from pipeline.evaluation.intervals import Difference, Part
from pipeline.evaluation.schema import Stat
from pipeline.report import charts
from pipeline.report.built_results import load
from pipeline.report.page import page


def test_what_is_compared_is_drawn(evaluated):
    results = load(evaluated, params.load(evaluated.params))
    waves = next(dataset for dataset in results.built if dataset.name == "waves")
    groups = charts.plots(waves)
    drawn = {group.title: group for group in groups}
    forecasts = drawn["Forecasts beside the truth"]
    assert [plot.title for plot in forecasts.plots] == [
        "Best example",
        "Median example",
        "Worst example",
    ]
    titles = [waves.titles[name] for name in ("node", "perceptron")]
    plot = forecasts.plots[0]
    assert [line.words for line in plot.lines] == ["the truth", *titles]
    assert plot.y.label == "wave, without a unit"
    truth = " ".join(
        f"{plot.x.place(x):.1f},{100 - plot.y.place(y):.1f}"
        for x, y in plot.lines[0].points
    )
    assert f'<path class="wide" d="M{truth}"/>' in page(results)


def test_forecasts_of_one_value_stand_side_by_side_so_that_none_hides_another(
    evaluated,
):
    results = load(evaluated, params.load(evaluated.params))
    waves = next(dataset for dataset in results.built if dataset.name == "waves")
    for plot in charts.plots(waves)[0].plots:
        truth, *forecasts = plot.lines
        ends = [truth.points[-1][0], *(x for line in forecasts for x, _ in line.points)]
        assert len({*ends}) == len(forecasts) + 1 == 3
        assert all(plot.x.low <= end <= plot.x.high for end in ends)
        heights = [height for line in plot.lines for _, height in line.points]
        assert all(plot.y.low < height < plot.y.high for height in heights)


def test_gradients_are_drawn_as_shares_of_each_networks_largest_one():
    table = pd.DataFrame({"back": [0, 1, 2], "rnn": [4, 0.4, 0], "lstm": [2, 2, 1]})
    dataset = SimpleNamespace(
        has=lambda _: True,
        numbers=lambda *_: table,
        titles={"dense": "dense", "rnn": "SimpleRNN", "lstm": "LSTM"},
        colors={"rnn": "rnn", "lstm": "lstm"},
    )
    (plot,) = charts._forgetting(dataset).plots
    assert {line.words: line.points for line in plot.lines} == {
        "SimpleRNN": [(0, 1), (1, 0.1), (2, charts.SMALLEST)],
        "LSTM": [(0, 1), (1, 1), (2, 0.5)],
    }
    assert plot.y.place(charts.SMALLEST) == 0


@pytest.mark.parametrize(
    "unit", [60, 3600, 86_400, 30 * 86_400], ids=["minutes", "hours", "days", "months"]
)
def test_times_of_any_range_have_some_dates_and_no_warning(unit):
    # some are those that fewer ticks have no interval for
    for count in (2, 5, 12, 33, 66, 71):
        assert 2 <= len(charts.dates(1.6e9, 1.6e9 + count * unit)) <= 12, count


def built(name, **models):
    """A data set with these (mean, share, layer) of each experiment, each pair with a
    standard error of a tenth."""

    def difference(_, name, other):
        return Difference.of([models[name][0]], [models[other][0]], Part(0.01, 999))

    def entry(model, mean, share, layer):
        stat = Stat(
            mean=mean,
            std=0.01,
            min=mean,
            max=mean,
            values=[mean] * 3,
            mean_ci=(mean - 0.01, mean + 0.01),
        )
        own = {
            "share": share,
            "trials": 12,
            "model": model.split("_")[0],
            "repeats": "map" if model == "map_2" else None,
            "layers": [layer] if layer else [],
            "recurrent": layer == "GRU",
            "score": lambda _: stat,
        }
        return SimpleNamespace(
            **own, chosen={"test": {"mse": stat}}, method="", converged=True
        )

    about = SimpleNamespace(
        name="d", metric="mse", examples={"train": 8000}, days=None, floor=0.0
    )
    experiments = {model: entry(model, *options) for model, options in models.items()}
    return SimpleNamespace(
        name=name,
        titles={model: model.replace("gru", "GRU") for model in models},
        colors=dict.fromkeys(models, "simple"),
        experiments=experiments,
        about=about,
        evaluation=SimpleNamespace(
            dataset=about,
            difference=difference,
            errors=lambda _, name: [models[name][0]],
            experiments=experiments,
        ),
    )


def test_a_network_and_its_opponent_are_compared_by_the_fraction_of_rows_that_they_saw():
    networks = {
        "gru": (0.1, 1, "GRU"),
        "gru_half": (0.2, 0.5, "GRU"),
        "gru_quarter": (0.3, 0.25, "GRU"),
    }
    others = {
        "map": (0.15, 1, ""),
        "map_half": (0.21, 0.5, ""),
        "map_quarter": (0.2, 0.25, ""),
        "plain": (0.3, 1, "x"),
        # neither another fitted model nor another search of the same one is a curve
        "ngrams": (0.3, 1, ""),
        "map_2": (0.3, 1, ""),
    }
    dataset = built("waves", **others, **networks)
    network, opponent = charts.by_fraction(dataset)
    assert (network, opponent[0.5]) == (
        {0.25: "gru_quarter", 0.5: "gru_half", 1: "gru"},
        "map_half",
    )
    (plot,) = charts.data_size(dataset).plots
    assert [line.words for line in plot.lines] == ["GRU", "map"]
    assert [words for _, words in plot.x.ticks] == [
        "2,000\nhurts",
        "4,000\nopen",
        "8,000\nhelps",
    ]
    assert charts.data_size(built("waves", gru=(0.1, 1, "GRU"))) is None
