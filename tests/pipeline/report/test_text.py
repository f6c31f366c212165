import math

import pytest

from pipeline.config import params
from pipeline.config.params import DatasetParams
from pipeline.data.dataset import Scale
from pipeline.evaluation import schema
from pipeline.evaluation.claims import Claim, Outcome, Verdict
from pipeline.evaluation.intervals import Difference, Part
from pipeline.evaluation.schema import Stat
from pipeline.evaluation.verdict_rule import compare
from pipeline.report import titles
from pipeline.report.formatting import measured, published, spread
from pipeline.report.result_tables import plain, published_cell, rebuilt_cell
from pipeline.report.wording import comparison_text
from pipeline.workspace import Workspace
from tests.support import REPOSITORY
from unroll.series.text_tables import alike

EVERY = params.load_all(REPOSITORY / "params.yaml")


@pytest.mark.parametrize(
    ("mean", "std", "metric", "texts"),
    [
        (0.0112, 0.00031, "mse", ("0.01120", "± 0.00031")),
        (8.97e-6, 1.24e-6, "mse", ("8.97e-6", "± 1.2e-6")),
        (0.84456, 0.0123, "accuracy", ("84.46 %", "± 1.23 %")),
        (2.3514, None, "mae_unit", ("2.351 °C", "")),
        (0.0112, 0.0, "mse", ("0.01120", "± 0")),
    ],
)
def test_a_mean_and_its_spread_have_the_same_decimals(mean, std, metric, texts):
    stat = Stat(mean=mean, std=std, min=mean, max=mean, values=[mean])
    assert (measured(stat, metric, "°C"), spread(stat, metric)) == texts


@pytest.mark.parametrize(
    ("values", "width", "texts"),
    [
        ([46.213, 41.5, 50.9], 9.4, ["46.21", "41.50", "50.90"]),
        ([1.23456e-9, 1.1e-9, 0.0], 2e-10, ["1.235e-9", "1.100e-9", "0"]),
        ([1.2345678e12, 1.3e12], 1e11, ["1,234,567,800,000", "1,300,000,000,000"]),
        ([100000.12345678, 100000.1], 1e-6, ["100,000.12345678", "100,000.10000000"]),
        ([0.9, 1e-9], 1.0, ["0.90", "0.00"]),
        ([1e-9, -math.inf, math.inf], math.inf, ["1.0000e-9", "-", "-"]),
        ([0.0, 0.0], 0.0, ["0.0000", "0.0000"]),
        ([2e300, 1e-300], 1e300, ["2.00e300", "1.00e-300"]),
    ],
)
def test_values_of_any_size_have_the_digits_that_their_intervals_leave(
    values, width, texts
):
    assert alike(values, width) == texts


def test_values_are_in_the_form_of_their_metric():
    assert (published(0.85, "accuracy"), published(0.005, "accuracy")) == (
        "85 %",
        "0.5 %",
    )
    for errors, others, texts in (
        ([0.05], [0.0], ("accuracy +5.00", "+3.04 to +6.96")),
        ([0.0956], [0.1], ("-4.4 %", "-6.3 to -2.5 %")),
    ):
        comparison = compare(
            Difference.of(errors, others, Part(0.0001, 10**6)), others[0]
        )
        assert comparison_text(comparison, "accuracy") == texts


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "sine_extrapolation/dense_rnn2_matched",
            "Dense(32) and 2 stacked SimpleRNN(32), relu, shapes matched",
        ),
        ("waves/node", "SimpleRNN(1), no output layer, by hand, rate 0.01"),
        (
            "shapes_seq2seq/tuned_attention",
            "transformer with 3 layers, 4 heads, head size 8, dropout 0.05, best of 8 trials",
        ),
        ("jena_hourly/boosting", "boosted trees on the last 48 steps, calendar"),
    ],
)
def test_an_experiment_in_words(name, words):
    experiment = EVERY.experiment(name)
    assert titles.experiment(experiment, EVERY.datasets[experiment.dataset]) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3600, "load 28 hours ahead from 2 days, hourly rows"),
        (86_400, "load 28 days ahead from 48 days, 24 years of daily rows"),
        (604_800, "load 28 weeks ahead from 48 weeks, 168 years of weekly rows"),
        (172_800, "load 56 days ahead from 96 days, 48 years of 2-day rows"),
    ],
)
def test_a_question_counts_in_the_rows_own_unit(seconds, words):
    own = schema.load(Workspace(REPOSITORY).evaluation("jena_sample")).dataset
    facts = {
        "horizon in hours": 28 * seconds / 3600,
        "seconds between rows": seconds,
        "rows": 8766,
    }
    about = own.model_copy(update={"scale": Scale(quantity="load"), "facts": facts})
    section = DatasetParams.model_validate(
        {"source": "s", "preparation": {"name": "series", "windows": {"lookback": 48}}}
    )
    assert titles.question(section, about) == words


def test_no_two_experiments_of_a_data_set_have_the_same_words():
    for name, section in EVERY.datasets.items():
        words = [
            titles.experiment(experiment, section)
            for experiment in EVERY.experiments_of(name).values()
        ]
        assert len(words) == len(set(words)), name


@pytest.mark.parametrize(
    ("value", "rows", "interval", "texts"),
    [
        ("2.5", "same", (2.2, 2.8), ("2.5", "2.530 (2.200 to 2.800)")),
        (
            "2.5",
            "same",
            (2.53, 2.53),
            ("2.5 (rounded: 2.45 to 2.55)", "2.530 (the same in every run)"),
        ),
        (
            "2.5",
            "own",
            (2.51, 2.54),
            (
                "2.5 (rounded: 2.45 to 2.55)",
                "2.530 (2.510 to 2.540 on another test set)",
            ),
        ),
    ],
)
def test_an_interval_without_width_or_of_other_rows_and_a_rounded_figure_are_told(
    value, rows, interval, texts
):
    claim = Claim(
        document="004",
        words="",
        experiment="d/e",
        metric="final.test.mse",
        value=value,
        width=2,
        rows=rows,
    )
    stat = Stat(mean=2.53, std=None, min=2.53, max=2.53, values=[2.53])
    verdict = Verdict(claim, Outcome.HOLDS, rebuilt=stat, interval=interval)
    cells = (published_cell(verdict), rebuilt_cell(verdict))
    assert tuple(map(plain, cells)) == texts
