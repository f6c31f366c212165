"""The forecaster of a trained experiment says at an origin of the past what the run said there."""

import math

import numpy as np
import pandas as pd
import pytest

import unroll
from pipeline.config import params, plain_yaml
from pipeline.config.params import own_name
from pipeline.data import dataset
from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_json, write_json
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from series.forecaster import Forecaster
from stages.evaluate import evaluate
from stages.prepare import prepare
from stages.source import source
from tests.support.examples import run_example
from tests.support.options import sections
from tests.support.training import train
from unroll.project import Project
from unroll.results.trained_forecaster import forecaster_of

HOURS = 700
GAPS = (100, 333, 334, *range(500, 520))

MODELS = {
    "last": ({"family": "baselines", "name": "last_value"}, {"method": "none"}),
    "daily": ({"family": "baselines", "name": "daily_cycle"}, {"method": "none"}),
    "ridge": (
        {"family": "baselines", "name": "linear", "last": 6},
        {"method": "least_squares", "ridge": 1.0},
    ),
    "lad": (
        {"family": "baselines", "name": "linear", "last": 6},
        {"method": "least_absolute", "rounds": 2},
    ),
    "boosting": (
        {"family": "baselines", "name": "lags", "last": 6},
        {"method": "boosting", "trees": 3, "leaves": 4, "examples": 5},
    ),
    "perceptron": (
        {"family": "dense", "name": "mlp", "hidden": [2], "activation": "tanh", "output": "tanh"},
        {"method": "by_hand", "learning_rate": 0.1, "epochs": 1},
    ),
}
QUESTIONS = {  # the first one has the name that is in the example of `Project.forecast`
    "jena_hourly": {
        "horizon": 3,
        "fill": 3,
        "target_lags": [48],
        "categories": ["state"],
        "overlap": True,
    },
    "later": {"delay": 24, "step": 2, "drop": ["state"], "time_zone": "Europe/Berlin"},
}
ASKED = [
    "jena_hourly/last",
    "jena_hourly/daily_calendar",
    "jena_hourly/ridge_calendar",
    "jena_hourly/boosting",
    "later/perceptron",
    "later/daily",
    "later/ridge",
    "later/lad_calendar",
    "later/boosting_calendar",
]
FORMAT = "%d.%m.%Y %H:%M"
READ = {
    "file": "meter.csv",
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
    "validation": 0.2,
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
    seeds = 2 if model == "perceptron" else 1
    return {"calendar": calendar, "seeds": seeds, "model": options, "training": training}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A project with two data sets of one file, and the runs of the experiments that are asked for."""
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
    datasets["waves"] = {"source": "waves", "preparation": {"name": "waves"}}
    experiments["waves"] = {"last_value": section("last", calendar=False)}
    written = {
        "sources": {"waves": {"kind": "waves"}},
        "files": {"meter": {"path": "meter.csv"}},
        "datasets": datasets,
        "experiments": experiments,
    }
    plain_yaml.write(written, workspace.params)
    source(workspace, "meter")
    for question in QUESTIONS:
        prepare(workspace, question)
    for name in ASKED:
        train(workspace, name)
    return workspace


def trained(workspace, name):
    """The run of an experiment, its data set with what the model sees, and its forecaster."""
    experiment = params.load(workspace.params).experiment(name)
    prepared = workspace.prepared(experiment.dataset)
    data = dataset.load(prepared, calendar=experiment.calendar)
    run = run_folder.load(workspace.run(experiment.dataset, own_name(name)))
    return run, data, forecaster_of(workspace, name)


def in_utc(table, zone):
    """The timestamps of the file's rows as the prepared data set has them."""
    stamps = pd.to_datetime(table["day"] + " " + table["hour"], format=FORMAT)
    if zone is None:
        return stamps
    return stamps.dt.tz_localize(zone).dt.tz_convert("UTC").dt.tz_localize(None)


@pytest.mark.parametrize("name", ASKED)
def test_at_an_origin_of_the_past_it_forecasts_what_the_run_said_there(workspace, tmp_path, name):
    run, data, forecaster = trained(workspace, name)
    forecaster.save(tmp_path / "apart")
    apart = Forecaster.load(tmp_path / "apart")
    windows = data.splits["test"]
    whole = rows()
    stamps = in_utc(whole, QUESTIONS[data.name].get("time_zone"))
    predictions = run.predictions[f"{run.points[-1]}_test"].reshape(
        len(run.summary.seeds), len(windows), -1
    )
    for place in (0, len(windows) // 2, len(windows) - 1):
        cutoff = data.stamps[windows.rows[place] - windows.step]
        past = whole[(stamps <= cutoff).to_numpy()]
        expected = predictions[:, place].mean(axis=0)
        for each in (forecaster, apart):
            (window,) = each.windows(past).values()
            (found,) = each.members.forecast(window.inputs)
            np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["jena_hourly/ridge_calendar", "later/perceptron"])
def test_its_errors_are_those_of_the_run_at_origins_a_day_apart(workspace, name):
    run, data, forecaster = trained(workspace, name)
    test = data.splits["test"]
    chosen = (test.rows[-1] - test.rows) % 24 == 0
    predictions = run.predictions[f"{run.points[-1]}_test"].mean(axis=0).reshape(len(test), -1)
    own = forecaster.arrays["forecasts"][0, -chosen.sum() :]
    np.testing.assert_allclose(own, predictions[chosen], rtol=2e-5, atol=1e-5)
    truth = test.targets.reshape(len(test), -1)[chosen]
    of_errors = forecaster.arrays["truth"][-chosen.sum() :]
    known = np.isfinite(of_errors)
    np.testing.assert_allclose(of_errors[known], truth[known], rtol=2e-5, atol=1e-5)
    assert forecaster.spec.stride == 24


def test_the_interface_in_python_forecasts_by_the_best_experiment_of_a_data_set(workspace):
    evaluate(workspace, "jena_hourly")
    project = unroll.open(workspace.root)
    run_example(Project.forecast, project)
    found = project.forecast("jena_hourly/boosting", level=0.8, horizon=2)
    expected = forecaster_of(workspace, "jena_hourly/boosting").forecast(rows(), (0.8,), 2)
    pd.testing.assert_frame_equal(found, expected)


def test_what_is_of_an_earlier_build_is_refused(workspace):
    run = workspace.run("later", "daily") / "run.json"
    fitted = workspace.prepared("later") / "fitted.json"
    before = {path: path.read_bytes() for path in (run, fitted)}
    again = "run `unroll repro evaluate@later`"
    try:
        fitted.unlink()
        with pytest.raises(UnrollError, match=f"later was prepared by an earlier Unroll; {again}"):
            forecaster_of(workspace, "later/daily")
        write_json(run, read_json(run) | {"fingerprint": {"data": "0"}})
        told = f"later/daily was trained on an earlier build of later; {again}"
        with pytest.raises(UnrollError, match=told):
            forecaster_of(workspace, "later/daily")
    finally:
        for path, content in before.items():
            path.write_bytes(content)


def test_an_experiment_that_forecasts_no_series_is_refused(workspace):
    with pytest.raises(UsageError, match="waves is no series with a time in each row"):
        forecaster_of(workspace, "waves/last_value")
    with pytest.raises(UsageError, match="the experiment must be one of"):
        forecaster_of(workspace, "later/gru")
