"""Rolling origins: nothing that comes later is learnt from, and the table says what was
said, where and when."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Windows
from pipeline.errors import UnrollError
from unroll.series import backtest, training
from unroll.series.row_options import (
    ALONE,
    Cleaning,
    CsvFormat,
    Preprocessing,
    SeriesWindows,
    Statistics,
)

HORIZON = 12


def data(rows=400):
    time = np.arange(rows)
    series = np.sin(2 * np.pi * time / 24)[:, None].astype(np.float32)
    parts = {
        "train": np.arange(48, rows // 2 - 11),
        "test": np.arange(rows // 2, rows - 11),
    }
    kept = np.ones(rows, bool)
    splits = {
        split: Windows(series, found, 48, 1, 0, 0, HORIZON, measured=kept)
        for split, found in parts.items()
    }
    fitted = Preprocessing(
        csv=CsvFormat(target="x"),
        cleaning=Cleaning(),
        windows=SeriesWindows(lookback=48, horizon=HORIZON),
        columns=["x"],
        series={ALONE: Statistics(mean=[3], std=[2], low=[-1], high=[1])},
    )
    return Dataset(
        name="x",
        kind="forecast",
        metric="mae",
        splits=splits,
        scored=(),
        scale=Scale(mean=3.0, std=2.0),
        period=24,
        stamps=np.datetime64("2024-01-01T00:00:00") + time.astype("timedelta64[h]"),
        series_id=np.zeros(rows, int),
        truth=3 + 2.0 * series[:, 0],
        fitted=fitted,
    )


def planned(origins, refits):
    return backtest.Plan(origins, 24, refits)


def experiment(family, name, method, seeds=1, training=None, **options):
    trained = {"method": method, **(training or {})}
    section = {
        "dataset": "x",
        "model": {"family": family, "name": name, **options},
        "training": trained,
    }
    return Experiment.model_validate(section | {"seeds": seeds})


def validated(whole, model, origins=6, refits=2):
    return training.cross_validate("m", model, whole, planned(origins, refits))[0]


def test_targets_of_train_are_known_when_an_origin_is_asked():
    folds = backtest.folds(data(), planned(6, 2))
    origins = np.concatenate([fold.test.rows for fold in folds])
    assert origins[-1] == 388, "the last window"
    assert set(np.diff(origins)) == {24}, "one a day"
    for fold in folds:
        assert fold.train.rows[-1] + 11 == fold.test.rows[0] - 1
    few = data(rows=130)
    with pytest.raises(
        UnrollError, match="takes 2 cutoffs, 96 rows apart, and the rows suffice for 1"
    ):
        backtest.plan(replace(few, period=96))


@pytest.mark.parametrize(
    ("rows", "cycles", "origins", "days"),
    [
        (400, [24, 168], 8, 1),
        (2000, [24, 168], 41, 1),
        (10_000, [24, 168], 104, 2),
        (80_000, [24, 168], 186, 9),
    ],
)
def test_origins_are_spread_over_the_last_half_and_see_every_day_of_a_week(
    rows, cycles, origins, days
):
    whole = data(rows)
    plan = backtest.plan(whole, cycles)
    assert (plan.origins, plan.stride) == (origins, 24 * days)
    chosen = np.concatenate([fold.test.rows for fold in backtest.folds(whole, plan)])
    assert len(chosen) == origins
    assert chosen[0] - 1 >= rows // 2, "the scale is that of rows before the first one"
    assert len(np.unique(chosen // 24 % 7)) == 7


def test_models_learn_from_every_so_many_windows():
    whole = data()
    windows = whole.fitted.windows.model_copy(update={"stride": 5})
    thin = replace(whole, fitted=whole.fitted.model_copy(update={"windows": windows}))
    for many, few in zip(
        *(backtest.folds(each, planned(6, 2)) for each in (whole, thin)), strict=True
    ):
        apart = (few.test.rows[0] - many.train.rows) % 5 == 0
        np.testing.assert_array_equal(few.train.rows, many.train.rows[apart])
        np.testing.assert_array_equal(few.test.rows, many.test.rows)


def test_windows_between_two_blocks_count_and_those_of_unknown_targets_do_not():
    whole = data()
    kept = {"train": np.arange(48, 189), "test": np.arange(200, 289)}
    splits = {
        split: replace(whole.splits[split], rows=rows) for split, rows in kept.items()
    }
    assert [*backtest.windows(replace(whole, splits=splits)).rows] == [*range(48, 289)]
    splits["test"] = replace(whole.splits["test"], rows=np.arange(201, 289))
    assert [*backtest.windows(replace(whole, splits=splits)).rows] == [
        *range(48, 189),
        *range(201, 289),
    ]


def test_what_looks_back_further_than_windows_sees_all_that_there_is():
    windows = data().splits["train"]
    tried = experiment("statistical", "ets", "none", history=60)
    seen = training.with_lookback(tried, data(), windows)
    inputs, targets = seen.take(np.array([0, 20]))
    assert inputs.shape == (2, 60, 1)
    assert np.isnan(inputs[0, :12]).all()
    assert np.array_equal(inputs[0, 12:], windows.take(np.array([0]))[0][0])
    assert np.array_equal(inputs[1], windows.series[8:68])
    assert np.array_equal(targets, windows.take(np.array([0, 20]))[1])


def test_a_gap_is_told_of_where_more_than_a_window_is_seen():
    whole = data()
    tried = experiment("statistical", "ets", "none", history=60)
    assert np.isfinite(validated(whole, tried, 2, 1)["y_hat"]).all()
    broken = replace(
        whole, stamps=whole.stamps + np.where(np.arange(400) < 50, 0, 3600)
    )
    with pytest.raises(
        UnrollError, match="m: the option `history` is for series without gaps"
    ):
        validated(broken, tried, 2, 1)


def test_the_table_has_a_row_for_each_value_with_its_cutoff_and_its_time():
    table = validated(data(), experiment("baselines", "last_value", "none"))
    assert [*table] == ["unique_id", "ds", "cutoff", "model", "seed", "y", "y_hat"]
    assert len(table) == 6 * HORIZON
    assert {*table["unique_id"]} == {"x"}
    ahead = (table["ds"] - table["cutoff"]).dt.total_seconds() / 3600
    assert ahead.tolist() == [*range(1, HORIZON + 1)] * 6
    hours = (table["ds"].to_numpy() - np.datetime64("2024-01-01")) / np.timedelta64(
        1, "h"
    )
    np.testing.assert_allclose(
        table["y"], 3 + 2 * np.sin(2 * np.pi * hours / 24), atol=1e-6
    )
    last = 3 + 2 * np.sin(2 * np.pi * (hours - ahead) / 24)
    np.testing.assert_allclose(table["y_hat"], last, atol=1e-6)


@pytest.mark.parametrize(("low", "least"), [(-1, -15), (0, 0)])
def test_nothing_is_forecast_below_zero_of_a_series_that_never_was(low, least):
    whole = data()
    statistics = {ALONE: whole.fitted.series[ALONE].model_copy(update={"low": [low]})}
    whole = replace(
        whole, fitted=whole.fitted.model_copy(update={"series": statistics})
    )
    table = backtest.table(
        whole, whole.splits["test"], np.full(len(whole.splits["test"]), -9.0)
    )
    assert {*table["y_hat"]} == {least}


def test_a_missing_target_costs_its_value_and_no_window_or_origin():
    whole = data()
    truth = whole.truth.copy()
    truth[::5] = np.nan
    measured = np.isfinite(truth)
    splits = {
        split: replace(windows, measured=measured)
        for split, windows in whole.splits.items()
    }
    holes = replace(whole, truth=truth, splits=splits)
    assert not len(backtest.windows(holes).complete()), "each window of 12 lacks two"
    naive = experiment("baselines", "last_value", "none")
    full = validated(whole, naive)
    part = validated(holes, naive)
    assert part["y"].isna().mean() == pytest.approx(0.2, abs=0.05)
    np.testing.assert_array_equal(part["y_hat"], full["y_hat"])
    ridge = experiment("baselines", "linear", "least_squares", last=2)
    # as filled
    np.testing.assert_array_equal(
        validated(holes, ridge)["y_hat"], validated(whole, ridge)["y_hat"]
    )
    some = replace(whole.splits["train"], measured=np.arange(400) != 100)
    assert 100 not in (training.complete_windows(some).rows[:, None] + some.ahead)


def test_options_are_chosen_before_the_first_origin_and_hold_for_all_folds():
    options = {"units": 4, "last": 6, "cycles": [24]}
    network = experiment(
        "residual",
        "gru",
        "numpy_adam",
        seeds=2,
        training={"learning_rate": 0.02},
        **options,
    )
    settled = training.select_options(
        "m", network, data(), backtest.folds(data(), planned(4, 1))[0].train
    )
    table, found = training.cross_validate("m", network, data(), planned(4, 2))
    assert {*table["seed"]} == {0, 1}
    assert found == settled
