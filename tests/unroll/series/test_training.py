"""What is chosen before the first origin, by windows whose targets come after all that
was learnt from."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.data.windowing import Statistics
from unroll.series import training
from unroll.series.row_options import (
    ALONE,
    Cleaning,
    CsvFormat,
    Preprocessing,
    SeriesWindows,
)

HOURS = 600


def network(name="gru", **options):
    model = {
        "family": "residual",
        "name": name,
        "cycles": [24],
        "units": 4,
        "last": 6,
        **options,
    }
    fitted = {"method": "numpy_adam", "learning_rate": 0.02, "batch_size": 64}
    return Experiment.model_validate(
        {"dataset": "x", "model": model, "training": fitted, "seeds": [0, 1]}
    )


def data(values):
    """Windows of 48 hours for the next 12."""
    series = values[:, None].astype(np.float32)
    whole = Windows(series, np.arange(48, len(series) - 11), 48, 1, 0, 0, 12)
    stamps = np.datetime64("2024-01-01T00:00:00") + np.arange(len(series)).astype(
        "timedelta64[h]"
    )
    return Dataset(
        "x",
        "forecast",
        "mae",
        {"train": whole, "test": whole},
        scored=(),
        stamps=stamps,
        series_id=np.zeros(len(series), int),
        period=24,
        fitted=Preprocessing(
            csv=CsvFormat(target="x"),
            cleaning=Cleaning(),
            windows=SeriesWindows(lookback=48, horizon=12),
            columns=["x"],
            series={ALONE: Statistics(mean=[0], std=[1], low=[-1], high=[1])},
        ),
    )


@pytest.fixture
def walk():
    return data(np.random.default_rng(0).normal(size=HOURS).cumsum())


@pytest.fixture
def days():
    """The same day again and again, of values in no order."""
    return data(np.tile(np.random.default_rng(0).normal(size=24), HOURS // 24))


def test_a_network_corrects_the_naive_forecast_that_suits_the_series(
    walk, days, monkeypatch
):
    monkeypatch.setattr(training, "STEPS", (5,))
    assert (
        training.select_options(
            "m", network(), walk, walk.splits["train"]
        ).model.options["base"]
        == "last"
    )
    assert (
        training.select_options(
            "m", network(), days, days.splits["train"]
        ).model.options["base"]
        == "mean"
    )


def test_what_is_validated_on_comes_after_all_that_was_learnt_from(walk):
    train = walk.splits["train"]
    earlier, later = training._halves(walk, train)
    assert earlier.rows[-1] + 11 < later.rows[0]
    assert len(later) == pytest.approx(training.VALIDATION_SHARE * len(train), abs=1)


def test_several_series_are_validated_on_at_the_same_times():
    twice = data(np.arange(2 * HOURS))
    stamps = np.tile(twice.stamps[:HOURS], 2)
    rows = np.concatenate(
        [np.arange(48, HOURS - 11), np.arange(HOURS + 48, 2 * HOURS - 11)]
    )
    train = replace(twice.splits["train"], rows=rows)
    earlier, later = training._halves(replace(twice, stamps=stamps), train)
    assert np.array_equal(
        later.rows[: len(later) // 2] + HOURS, later.rows[len(later) // 2 :]
    )
    assert stamps[earlier.rows + 11].max() < stamps[later.rows].min()


def test_of_few_windows_the_first_options_are_taken(walk):
    train = replace(walk.splits["train"], rows=np.arange(48, 90))
    settled = training.select_options("m", network(), walk, train)
    assert settled.model.options["base"] == training.BASES[0]
    assert settled.training.options["steps"] == training.MOST_EPOCHS * 42 // 64


def test_a_network_without_cycles_corrects_the_last_value():
    only = training.by_base(network(cycles=[]))
    assert [each.model.options["base"] for each in only] == ["last"]


def test_other_models_are_left_as_they_are(walk):
    model = {"family": "baselines", "name": "last_value"}
    naive = Experiment.model_validate(
        {"dataset": "x", "model": model, "training": {"method": "none"}}
    )
    assert training.select_options("m", naive, walk, walk.splits["train"]) is naive


def test_a_network_is_handed_no_more_than_it_looks_at(walk):
    windows = replace(walk.splits["train"], lookback=48)
    assert training.with_lookback(network(), walk, windows).lookback == 6 + 24
    assert training.with_lookback(network(last=40), walk, windows).lookback == 48
