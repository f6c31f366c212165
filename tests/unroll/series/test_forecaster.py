"""The forecaster of a trained experiment says at an origin of the past what the run
said there."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.config import params, plain_yaml
from pipeline.config.params import own_name
from pipeline.data import dataset
from pipeline.errors import UnrollError, UsageError
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from stages.source import source
from tests.support.options import sections, typed
from tests.support.trained_forecaster import forecaster_of
from tests.support.training import train
from unroll.series import seal, windowed
from unroll.series.forecaster import ARRAYS, SPEC, OutsideRangeWarning, floored
from unroll.series.reading import file_rows
from unroll.series.row_options import Cleaning, Preprocessing

HOURS = 700
GAPS = (100, 333, 334, *range(500, 520))

MODELS = {
    "last": ({"family": "baselines", "name": "last_value"}, {"method": "none"}),
    "daily": ({"family": "baselines", "name": "daily_cycle"}, {"method": "none"}),
    "ridge": (
        {"family": "baselines", "name": "linear", "last": 6},
        {"method": "least_squares", "ridge": 1.0},
    ),
    "boosting": (
        {"family": "baselines", "name": "lags", "last": 6},
        {"method": "boosting", "trees": 3, "leaves": 4, "examples": 5},
    ),
}
QUESTIONS = {
    "jena_hourly": {
        "horizon": 3,
        "fill": 3,
        "categories": ["state"],
    },
    "berlin": {"drop": ["state"], "time_zone": "Europe/Berlin"},
}
ASKED = [
    "jena_hourly/last",
    "jena_hourly/daily_calendar",
    "jena_hourly/ridge_calendar",
    "jena_hourly/boosting",
    "berlin/daily",
    "berlin/ridge",
    "berlin/ridge_calendar",
    "berlin/boosting_calendar",
]
FORMAT = "%d.%m.%Y %H:%M"
READ = {
    "stamp": ["day", "hour"],
    "stamp_format": FORMAT,
    "target": "load",
    "unit": "kW",
}
SHAPE = {
    "name": "series",
    "missing": [""],
    "delimiter": ";",
    "decimal": ",",
    "train": 0.6,
    "lookback": 24,
}


def rows():
    """The rows of the file: a wave, another column, words, empty cells and gaps."""
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


def section(model, *, calendar):
    """An experiment as params.yaml has it."""
    options, training = MODELS[model]
    seeds = 2 if model == "ridge" else 1
    return {
        "calendar": calendar,
        "seeds": seeds,
        "model": options,
        "training": training,
    }


def prepared(workspace, name, options):
    """The data set of the file: an answer's, since params.yaml has none of this form."""
    asked = typed(SHAPE | READ | options)
    file = workspace.raw("meter") / "meter.csv"
    table = file_rows.table_of(file_rows.read([file], asked["csv"]))
    del asked["name"]
    data = windowed.cut(name, table, **{"cleaning": Cleaning()} | asked)
    # these models learn from windows whose values were all measured
    splits = {split: cut.complete() for split, cut in data.splits.items()}
    return replace(data, splits=splits)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A project with two data sets of one file, and the runs of the experiments that
    are asked for."""
    workspace = Workspace(tmp_path_factory.mktemp("series"))
    rows().to_csv(workspace.root / "meter.csv", index=False, sep=";", decimal=",")
    datasets = {}
    experiments = {}
    for question, options in QUESTIONS.items():
        preparation = sections(SHAPE | READ | options)
        datasets[question] = {"source": "meter", "preparation": preparation}
        experiments[question] = {}
    for name in ASKED:
        question, _, key = name.partition("/")
        model, _, calendar = key.partition("_")
        experiments[question][key] = section(model, calendar=bool(calendar))
    written = {
        "sources": {},
        "files": {"meter": {"path": "meter.csv"}},
        "datasets": datasets,
        "experiments": experiments,
    }
    plain_yaml.write(written, workspace.params)
    source(workspace, "meter")
    for question, options in QUESTIONS.items():
        dataset.save(
            prepared(workspace, question, options), workspace.prepared(question)
        )
    for name in ASKED:
        train(workspace, name)
    return workspace


def trained(workspace, name):
    """The run of an experiment, its data set with what the model sees, and its
    forecaster."""
    experiment = params.load(workspace.params).experiment(name)
    prepared = workspace.prepared(experiment.dataset)
    data = dataset.load(prepared, calendar=experiment.calendar, fitted=Preprocessing)
    run = run_folder.load(workspace.run(experiment.dataset, own_name(name)))
    return run, data, forecaster_of(workspace, name)


def in_utc(table, zone):
    """The timestamps of the file's rows as the prepared data set has them."""
    stamps = pd.to_datetime(table["day"] + " " + table["hour"], format=FORMAT)
    if zone is None:
        return stamps
    return stamps.dt.tz_localize(zone).dt.tz_convert("UTC").dt.tz_localize(None)


@pytest.mark.parametrize("name", ASKED)
def test_at_an_origin_of_the_past_it_forecasts_what_the_run_said_there(workspace, name):
    run, data, forecaster = trained(workspace, name)
    windows = data.splits["test"]
    whole = rows()
    zone = QUESTIONS[data.name].get("time_zone")
    stamps = in_utc(whole, zone)
    predictions = run.predictions[f"{run.points[-1]}_test"].reshape(
        len(run.summary.seeds), len(windows), -1
    )
    for place in (0, len(windows) // 2, len(windows) - 1):
        cutoff = data.stamps[windows.rows[place] - windows.step]
        past = whole[(stamps <= cutoff).to_numpy()]
        expected = predictions[:, place].mean(axis=0)
        (window,) = forecaster.windows(past).values()
        (found,) = forecaster.of_members(window.inputs)
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)
        forecast = forecaster.forecast(past)
        np.testing.assert_allclose(
            forecast["y_hat"], expected * data.scale.std + data.scale.mean, rtol=2e-6
        )
        ahead = (
            windows.rows[place]
            + windows.delay
            + windows.step * np.arange(windows.outputs)
        )
        when = pd.DatetimeIndex(data.stamps[ahead])
        if zone:
            when = when.tz_localize("UTC").tz_convert(zone)
        assert [*forecast["ds"]] == [*when]
        middle, ends = forecaster.ahead(forecaster.windows(past)[""])
        np.testing.assert_allclose(forecast["y_hat"], middle)
        np.testing.assert_allclose(forecast[["lo-90", "hi-90"]], ends)
        pd.testing.assert_frame_equal(forecaster.forecast(past.iloc[-120:]), forecast)


BAD = {
    "too few": (
        lambda rows: rows.tail(20),
        "the DataFrame: a forecast needs the last 24 rows, and there are 20; add",
    ),
    "no column": (
        lambda rows: rows.drop(columns="wind"),
        "has no column 'wind', which jena_hourly was trained on",
    ),
    "another name": (
        lambda rows: rows.rename(columns={"wind": "Wind"}),
        r"is it 'Wind'\? Rename it",
    ),
    "another step": (
        lambda rows: rows[::2],
        "rows lie 2 hours apart, and jena_hourly was trained on rows that lie an hour apart",
    ),
    "a gap": (
        lambda rows: rows.drop(rows.index[-20:-10]),
        "and between .* there are none, and no more than 3 in a row",
    ),
    "not measured": (
        lambda rows: rows.assign(wind=rows["wind"].where(rows.index < rows.index[-9])),
        "'wind' was not measured",
    ),
    "nothing at first": (
        lambda rows: rows.tail(80).assign(wind=np.nan),
        "'wind' holds no value until",
    ),
    "no number": (
        lambda rows: rows.assign(wind="calm"),
        r"row 0 \(from 0\): column 'wind' holds 'calm', not",
    ),
    "1e308": (
        lambda rows: rows.assign(load=1e308),
        "'load' holds a number too large for any model",
    ),
    "one name": (
        lambda rows: rows.assign(gust=1.0).rename(columns={"gust": "wind"}),
        "has two columns 'wind'",
    ),
    "no stamp": (
        lambda rows: rows.assign(day="today"),
        "'today 00:00' is no timestamp of the form",
    ),
    "a new word": (
        lambda rows: rows.assign(state="ajar"),
        "column 'state' holds 'ajar', a word that jena_hourly does not",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_rows_that_cannot_be_used_get_one_line(workspace, change, message):
    _, _, forecaster = trained(workspace, "jena_hourly/last")
    with pytest.raises(UnrollError, match=message) as caught:
        forecaster.forecast(change(rows()))
    assert "\n" not in str(caught.value)


def test_a_forecast_starts_after_the_last_measured_target_and_says_so(workspace):
    _, _, forecaster = trained(workspace, "jena_hourly/ridge_calendar")
    table = rows()
    last = "'load' was measured last at 2023-05-29 18:00:00"
    told = rf"{last}; the forecast starts after it \(9 rows have none after that\)"
    with pytest.warns(OutsideRangeWarning, match=told):
        found = forecaster.forecast(
            table.assign(load=table["load"].where(table.index < table.index[-9]))
        )
    pd.testing.assert_frame_equal(found, forecaster.forecast(table[:-9]))


def test_other_columns_and_orders_do_not_matter_and_a_value_far_from_the_trained_ones_is_warned_of(
    workspace,
):
    _, _, forecaster = trained(workspace, "jena_hourly/ridge_calendar")
    other = (
        rows()
        .assign(more="x")[["more", "wind", "state", "hour", "load", "day"]]
        .iloc[::-1]
    )
    pd.testing.assert_frame_equal(
        forecaster.forecast(other), forecaster.forecast(rows())
    )
    far = rows()
    far.loc[far.index[-3], "load"] = 900.0
    with pytest.warns(
        OutsideRangeWarning,
        match="'load' is 900 at 2023-05-30 01:00:00, far outside .* 7[0-9.]+ to 12",
    ):
        forecaster.forecast(far)


def test_a_level_is_a_whole_number_of_percent_and_a_higher_one_is_wider(workspace):
    _, _, forecaster = trained(workspace, "jena_hourly/ridge_calendar")
    window = forecaster.windows(rows())[""]
    _, ends = forecaster.ahead(window, (0.8, 0.95))
    assert (np.diff(ends, axis=1) > 0).all(), "low 95, low 80, high 80, high 95"
    for level in (0.905, 0.0, 1.0):
        with pytest.raises(
            UsageError,
            match="the level must be 0.01 to 0.99, a whole number of percent",
        ):
            forecaster.forecast(rows(), (level,))


def test_no_forecast_or_end_is_below_the_lowest_value_and_unknown_ends_stay():
    ends = np.array([[-np.inf, -1, 4, np.inf], [1, 2, 4, 5]])
    forecast, known = floored(np.array([-2.0, 3.0]), ends, 0.0)
    assert forecast.tolist() == [0, 3]
    np.testing.assert_array_equal(known, [[-np.inf, 0, 4, np.inf], [1, 2, 4, 5]])


def test_what_an_older_version_saved_is_refused(workspace, tmp_path):
    trained(workspace, "berlin/daily")[2].save(tmp_path / "model")
    told = "an older version of Unroll wrote this folder.*; answer the series anew"
    with pytest.raises(UnrollError, match=told):
        seal.check(tmp_path / "model", SPEC, ARRAYS)
