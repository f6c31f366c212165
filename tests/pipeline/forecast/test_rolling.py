"""Rolling origins: nothing that comes later is learnt from, and no champion is worse than a naive model."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset, Fitted
from pipeline.data.examples import Windows
from pipeline.errors import UnrollError
from pipeline.evaluation.scaled_error import seasonal_naive
from pipeline.forecast import backtest, combination, rolling


def data(rows=400):
    time = np.arange(rows)
    series = np.sin(2 * np.pi * time / 24)[:, None].astype(np.float32)
    parts = {"train": np.arange(48, 200), "validation": np.arange(200, 300), "test": np.arange(300, rows - 11)}
    splits = {split: Windows(series, found, 48, 1, 0, 0, outputs=12) for split, found in parts.items()}
    stamps = np.datetime64("2024-01-01T00:00:00") + time.astype("timedelta64[h]")
    return Dataset(name="x", kind="forecast", metric="mae", splits=splits, period=24, stamps=stamps)


def experiment(family, name, method, **options):
    section = {"dataset": "x", "model": {"family": family, "name": name, **options}, "training": {"method": method}}
    return Experiment.model_validate(section)


def test_targets_of_train_have_come_when_an_origin_is_asked():
    folds = rolling.folds(data(), 6, 2)
    origins = np.concatenate([fold.asked.rows for fold in folds])
    assert origins[-1] == 388, "the last window"
    assert set(np.diff(origins)) == {24}, "one a day"
    for fold in folds:
        assert fold.train.rows[-1] + 11 == fold.asked.rows[0] - 1
    with pytest.raises(UnrollError, match="origins are too few for 9 fits"):
        rolling.folds(data(), 6, 9)


@pytest.mark.parametrize(("rows", "count"), [(400, 8), (2000, 28), (3000, 31)])
def test_origins_lie_in_the_last_quarter_and_where_they_are_few_in_the_last_half(rows, count):
    assert sum(len(fold.asked) for fold in rolling.folds(data(rows), 56, 2)) == count


def test_windows_between_two_blocks_count_and_those_of_unknown_targets_do_not():
    whole, lost = data(), {"train": np.arange(48, 189), "validation": np.arange(200, 289), "test": np.arange(301, 389)}
    splits = {split: replace(whole.splits[split], rows=rows) for split, rows in lost.items()}
    found = rolling.whole(replace(whole, splits=splits)).rows
    assert [*found] == [*range(48, 289), *range(301, 389)]


def test_what_looks_back_further_than_windows_sees_all_that_there_is():
    windows = data().splits["train"]
    seen = rolling.seen_by(experiment("statistical", "ets", "none", history=60), windows)
    inputs, targets = seen.take(np.array([0, 20]))
    assert inputs.shape == (2, 60, 1)
    assert np.isnan(inputs[0, :12]).all()
    assert np.array_equal(inputs[0, 12:], windows.take(np.array([0]))[0][0])
    assert np.array_equal(inputs[1], windows.series[8:68])
    assert np.array_equal(targets, windows.take(np.array([0, 20]))[1])


def test_a_gap_is_told_of_where_more_than_a_window_is_seen():
    fitted = Fitted(columns=["x"], mean=[0], std=[1], low=[0], high=[0], options={"rows": None})
    asked, tried = replace(data(), fitted=fitted), experiment("statistical", "ets", "none", history=60)
    (fold,) = rolling.folds(asked, 1, 1)
    assert np.isfinite(rolling.forecast("x_ets", tried, asked, fold)).all()
    broken = replace(asked, stamps=asked.stamps + np.where(np.arange(400) < 50, 0, 3600))
    with pytest.raises(UnrollError, match="x_ets: `history` is for one series without gaps"):
        rolling.forecast("x_ets", tried, broken, fold)


def test_a_champion_is_never_beaten_by_a_naive_model():
    found, made = rolling.folds(data(), 4, 2), {}
    candidates = {
        "cycle": experiment("baselines", "seasonal_naive", "none", timesteps=24),
        "last": experiment("baselines", "last_value", "none"),
        "ridge": experiment("baselines", "linear", "least_squares", last=2),
    }
    for name, one in candidates.items():
        made[name] = [rolling.forecast(name, one, data(), fold) for fold in found]
    made["wild"] = [part + 9 for part in made["cycle"]]
    candidates["wild"] = candidates["ridge"]
    judged, arrays = backtest.judged(data(), found, made, candidates, set())
    assert judged.naive == ["cycle", "last"]
    assert judged.models[judged.champion].whole <= judged.models["cycle"].whole
    assert judged.why.startswith("MAE ")
    assert judged.champion == "cycle"
    assert judged.models["last"].mase == pytest.approx(judged.models["last"].whole / seasonal_naive(data()))
    assert arrays["errors"].shape == arrays["truth"].shape == arrays["ridge"].shape == (4, 12)
    assert (judged.first, judged.last) == ("2024-01-14 03:00:00", "2024-01-17 03:00:00")


def test_of_models_that_err_apart_the_median_speaks_unless_one_is_a_third_better():
    folds = rolling.folds(data(), 4, 2)
    truth = [fold.asked.targets for fold in folds]
    ridge = experiment("seasonal", "linear", "least_squares")
    candidates = dict.fromkeys(("high", "low", "odd"), ridge)
    candidates["last"] = experiment("baselines", "last_value", "none")
    off = {"high": 1.0, "low": -1.0, "odd": 0.05, "last": 3.0}
    made = {name: [part + each for part in truth] for name, each in off.items()}
    assert backtest.judged(data(), folds, made, candidates, set())[0].champion == "odd"
    made["odd"] = [part + 0.3 for part in truth]
    judged, arrays = backtest.judged(data(), folds, made, candidates, set())
    assert (judged.champion, judged.members) == (backtest.COMBINED, ["high", "last", "low", "odd"])
    said = np.stack([arrays[name] for name in judged.members])
    together = combination.combined(said, arrays["truth"], np.ones(12, int))
    np.testing.assert_array_equal(arrays["errors"], together - arrays["truth"])
    assert np.abs(arrays["errors"]).mean() == pytest.approx(judged.models[backtest.COMBINED].whole)
    assert judged.why.endswith("; odd 0.3, last 3; a lead below a third rarely lasts")


def test_a_network_is_fitted_for_its_best_epochs():
    section = experiment("dense", "mlp", "gradient_descent").model_copy()
    section.training.__pydantic_extra__.update({"epochs": 50, "patience": 5})
    settled = rolling.settled(section, [3, 9, 4])
    assert settled.training.options == {"epochs": 4, "patience": None}
    assert rolling.settled(section, None) is section
