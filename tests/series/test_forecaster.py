"""A forecast from raw rows is what the run said at that origin, for each kind of model and of question.

A recurrent network, which takes long to train: tests/unroll/results/test_predict.py.
"""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.config import params, plain_yaml
from pipeline.config.params import own_name
from pipeline.data import dataset
from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_json, write_json, write_npz
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from series.forecaster import Forecaster, OutsideRangeWarning
from stages.prepare import prepare
from stages.source import source
from tests.support.options import sections
from tests.support.training import train
from unroll.results.trained_forecaster import forecaster_of

HOURS = 700
GAPS = (100, 333, 334, *range(500, 520))

MODELS = {
    "last": ({"family": "baselines", "name": "last_value"}, {"method": "none"}),
    "daily": ({"family": "baselines", "name": "daily_cycle"}, {"method": "none"}),
    "ridge": ({"family": "baselines", "name": "linear", "last": 6}, {"method": "least_squares", "ridge": 1.0}),
    "lad": ({"family": "baselines", "name": "linear", "last": 6}, {"method": "least_absolute", "rounds": 2}),
    "boosting": (
        {"family": "baselines", "name": "lags", "last": 6},
        {"method": "boosting", "trees": 3, "leaves": 4, "examples": 5},
    ),
    "perceptron": (
        {"family": "dense", "name": "mlp", "hidden": [2], "activation": "tanh", "output": "tanh"},
        {"method": "by_hand", "learning_rate": 0.1, "epochs": 1},
    ),
}
QUESTIONS = {
    "ahead": {"horizon": 3, "fill": 3, "target_lags": [48], "categories": ["state"], "overlap": True},
    "later": {"delay": 24, "step": 2, "drop": ["state"], "time_zone": "Europe/Berlin"},
}
ASKED = ["ahead/last", "ahead/daily_calendar", "ahead/ridge_calendar", "ahead/boosting"]
ASKED += ["later/perceptron", "later/daily", "later/ridge", "later/lad_calendar", "later/boosting_calendar"]
READ = {"file": "meter.csv", "stamp": ["day", "hour"], "stamp_format": "%d.%m.%Y %H:%M", "target": "load", "unit": "kW"}


def rows():
    """What the file holds: a wave, another column, words, empty cells and gaps."""
    hours = np.array([hour for hour in range(HOURS) if hour not in GAPS])
    stamps = pd.Timestamp("2023-05-01") + pd.to_timedelta(hours, unit="h")
    load = np.round(100 + 20 * np.sin(hours * math.pi / 12) + 5 * np.sin(hours**2), 2)
    load[hours % 97 == 5] = np.nan
    return pd.DataFrame(
        {
            "day": stamps.strftime("%d.%m.%Y"),
            "hour": stamps.strftime("%H:%M"),
            "load": load,
            "wind": hours % 7 / 2,
            "state": np.array(["open", "shut", "off"])[hours // 5 % 3],
        }
    )


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("series"))
    rows().to_csv(workspace.root / "meter.csv", index=False, sep=";", decimal=",")
    shape = {"name": "series", "missing": [""], "delimiter": ";", "decimal": ",", "train": 0.6, "validation": 0.2}
    datasets = {
        question: {"source": "meter", "preparation": sections(shape | READ | {"lookback": 24} | options)}
        for question, options in QUESTIONS.items()
    }
    experiments = {}
    for name in ASKED:
        question, model, *calendar = name.replace("/", "_").split("_")
        options = dict(zip(("model", "training"), MODELS[model], strict=True))
        experiments.setdefault(question, {})[own_name(name)] = {
            "calendar": bool(calendar),
            "seeds": 1 + (model == "perceptron"),
            **options,
        }
    entries = {"sources": {}, "files": {"meter": {"path": "meter.csv"}}}
    plain_yaml.write({**entries, "datasets": datasets, "experiments": experiments}, workspace.params)
    source(workspace, "meter")
    for name in datasets:
        prepare(workspace, name)
    return workspace


def trained(workspace, name):
    """The run of an experiment, its data set with what the model sees, and its forecaster."""
    experiment = params.load(workspace.params).experiment(name)
    data = dataset.load(workspace.prepared(experiment.dataset), calendar=experiment.calendar)
    folder = workspace.run(experiment.dataset, own_name(name))
    if not folder.exists():
        train(workspace, name)
    return run_folder.load(folder), data, forecaster_of(workspace, name)


@pytest.mark.parametrize("name", ASKED)
def test_a_forecast_at_an_origin_of_the_past_is_what_the_run_said_there(workspace, tmp_path, name):
    run, data, forecaster = trained(workspace, name)
    forecaster.save(tmp_path / "apart")
    apart = Forecaster.load(tmp_path / "apart")
    windows, whole, zone = data.splits["test"], rows(), QUESTIONS[data.name].get("time_zone")
    stamps = pd.to_datetime(whole["day"] + " " + whole["hour"], format=READ["stamp_format"])
    if zone:
        stamps = stamps.dt.tz_localize(zone).dt.tz_convert("UTC").dt.tz_localize(None)
    for place in (0, len(windows) // 2, len(windows) - 1):
        origin = data.stamps[windows.rows[place] - windows.step]
        past = whole[(stamps <= origin).to_numpy()]
        found = forecaster.forecast(past)
        expected = run.predictions[f"{run.points[-1]}_test"][:, place].reshape(len(run.summary.seeds), -1).mean(axis=0)
        expected = expected * data.scale.std + data.scale.mean
        np.testing.assert_allclose(found["y_hat"], expected, rtol=2e-6)
        target = windows.rows[place] + windows.delay + windows.step * np.arange(windows.outputs)
        when = pd.DatetimeIndex(data.stamps[target])
        assert [*found["ds"]] == [*(when.tz_localize("UTC").tz_convert(zone) if zone else when)]
        middle, ends = forecaster.ahead(forecaster.windows(past)[""])
        np.testing.assert_allclose(found["y_hat"], middle)
        np.testing.assert_allclose(found[["lo-90", "hi-90"]], ends)
        pd.testing.assert_frame_equal(apart.forecast(past.iloc[-120:]), found)


BAD = {
    "too few": (lambda rows: rows.tail(30), "the table: a forecast needs the last 72 rows, and there are 30; add"),
    "no column": (lambda rows: rows.drop(columns="wind"), "has no column 'wind', which ahead was trained on"),
    "another name": (lambda rows: rows.rename(columns={"wind": "Wind"}), r"is it 'Wind'\? Rename it"),
    "another step": (lambda rows: rows[::2], "rows lie 7,200 seconds apart, and ahead was trained on 3,600"),
    "a gap": (
        lambda rows: rows.drop(rows.index[-20:-10]),
        "and between .* there are none, and no more than 3 in a row",
    ),
    "not measured": (
        lambda rows: rows.assign(wind=rows["wind"].where(rows.index < rows.index[-9])),
        "'wind' was not measured",
    ),
    "nothing at first": (lambda rows: rows.tail(80).assign(wind=np.nan), "'wind' holds no value until"),
    "no number": (lambda rows: rows.assign(wind="calm"), r"row 0 \(from 0\): column 'wind' holds 'calm', not"),
    "1e308": (lambda rows: rows.assign(load=1e308), "'load' holds a number too large for any model"),
    "one name": (lambda rows: rows.assign(gust=1.0).rename(columns={"gust": "wind"}), "has two columns 'wind'"),
    "no stamp": (lambda rows: rows.assign(day="today"), "column 'day hour' holds 'today 00:00', not a stamp"),
    "a new word": (lambda rows: rows.assign(state="ajar"), "column 'state' holds 'ajar', a word that ahead does not"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_rows_that_cannot_be_used_get_one_line(workspace, change, message):
    _, _, forecaster = trained(workspace, "ahead/last")
    with pytest.raises(UnrollError, match=message) as caught:
        forecaster.forecast(change(rows()))
    assert "\n" not in str(caught.value)


def test_a_forecast_starts_after_the_last_measured_target_and_says_so(workspace):
    _, _, forecaster = trained(workspace, "ahead/ridge_calendar")
    table = rows()
    told = r"'load' was measured last at 2023-05-29 18:00:00; the forecast starts there \(9 rows have none after that\)"
    with pytest.warns(OutsideRangeWarning, match=told):
        found = forecaster.forecast(table.assign(load=table["load"].where(table.index < table.index[-9])))
    pd.testing.assert_frame_equal(found, forecaster.forecast(table[:-9]))


def test_other_columns_and_orders_do_not_matter_and_a_value_far_from_the_trained_ones_is_warned_of(workspace):
    _, _, forecaster = trained(workspace, "ahead/ridge_calendar")
    other = rows().assign(more="x")[["more", "wind", "state", "hour", "load", "day"]].iloc[::-1]
    pd.testing.assert_frame_equal(forecaster.forecast(other), forecaster.forecast(rows()))
    far = rows()
    far.loc[far.index[-3], "load"] = 900.0
    with pytest.warns(OutsideRangeWarning, match="'load' is 900 at 2023-05-30 01:00:00, far outside .* 7[0-9.]+ to 12"):
        forecaster.forecast(far)


def test_a_level_is_a_whole_number_of_percent_and_a_higher_one_is_wider(workspace):
    _, _, forecaster = trained(workspace, "ahead/ridge_calendar")
    window = forecaster.windows(rows())[""]
    _, ends = forecaster.ahead(window, (0.8, 0.95))
    assert (np.diff(ends, axis=1) > 0).all(), "low 95, low 80, high 80, high 95"
    assert (forecaster.inside(window, 0.95) >= forecaster.inside(window, 0.8)).all()
    for level in (0.905, 0.3, 1.0):
        with pytest.raises(UsageError, match="the level must be 0.5 to 0.99, a whole number of percent"):
            forecaster.forecast(rows(), (level,))


def test_a_load_that_was_never_negative_is_not_forecast_below_zero(workspace):
    _, _, forecaster = trained(workspace, "ahead/ridge_calendar")
    window = forecaster.windows(rows())[""]
    steps = np.array([-99.0, -6.6, 0.0])  # in deviations of about 14.6 around 100
    predict = [[lambda _: steps]]
    forecaster = replace(forecaster, members=replace(forecaster.members, predict=predict, forecasts={}))
    forecast, ends = forecaster.ahead(window)
    low, high = ends.T
    assert (forecast[0], low[0], low[1]) == (0, 0, 0)
    assert min(low[2], forecast[1]) > 0
    assert (high > forecast).all()


def test_what_an_older_version_saved_is_refused(workspace, tmp_path):
    trained(workspace, "later/daily")[2].save(tmp_path / "model")
    write_npz(tmp_path / "model" / "forecaster.npz", {"errors": np.zeros((3, 2))})
    with pytest.raises(UnrollError, match="older version of Unroll; answer the series anew"):
        Forecaster.load(tmp_path / "model")


def test_what_is_of_an_earlier_build_is_refused(workspace):
    trained(workspace, "later/daily")
    run, fitted = workspace.run("later", "daily") / "run.json", workspace.prepared("later") / "fitted.json"
    before = {path: path.read_bytes() for path in (run, fitted)}
    try:
        fitted.unlink()
        with pytest.raises(UnrollError, match="later was prepared by an earlier Unroll; run `unroll repro evaluate@l"):
            forecaster_of(workspace, "later/daily")
        write_json(run, read_json(run) | {"fingerprint": {"data": "0"}})
        with pytest.raises(
            UnrollError, match="later/daily was trained on an earlier build of later; run `unroll repro"
        ):
            forecaster_of(workspace, "later/daily")
    finally:
        for path, content in before.items():
            path.write_bytes(content)
