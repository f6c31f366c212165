"""A forecast from raw rows is what the run said at that origin, for each kind of model and of question."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.config import params, plain_yaml
from pipeline.data import dataset
from pipeline.errors import UnrollError
from pipeline.forecast.forecaster import Forecaster, OutsideRangeWarning
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from stages.prepare import prepare
from stages.source import source
from stages.train import train

HOURS = 700
GAPS = (100, 333, 334, *range(500, 520))

FITS = {"method": "gradient_descent", "optimizer": "adam", "loss": "mae", "epochs": 2, "batch_size": 64}
MODELS = {
    "last": ({"family": "baselines", "name": "last_value"}, {"method": "none"}),
    "daily": ({"family": "baselines", "name": "daily_cycle"}, {"method": "none"}),
    "ridge": ({"family": "baselines", "name": "linear", "last": 6}, {"method": "least_squares", "ridge": 1.0}),
    "boosting": (
        {"family": "baselines", "name": "lags", "last": 6},
        {"method": "boosting", "trees": 3, "leaves": 4, "examples": 5},
    ),
    "gru": ({"family": "recurrent", "name": "gru", "units": 3}, FITS),
}
LAD = ({"family": "baselines", "name": "linear", "last": 6}, {"method": "least_absolute", "rounds": 2})
QUESTIONS = {
    "ahead": ({"horizon": 3, "fill": 3, "target_lags": [48], "categories": ["state"]}, MODELS),
    "later": ({"delay": 24, "step": 2, "drop": ["state"], "time_zone": "Europe/Berlin"}, MODELS | {"lad": LAD}),
}
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
    datasets, experiments = {}, {}
    for question, (options, models) in QUESTIONS.items():
        datasets[question] = {"source": "meter", "preparation": shape | READ | {"lookback": 24} | options}
        for name, (model, training) in models.items():
            for calendar in (False, True):
                experiments[f"{question}_{name}{'_calendar' * calendar}"] = {
                    "dataset": question,
                    "calendar": calendar,
                    "seeds": 2 if name == "gru" else 1,
                    "model": model,
                    "training": training,
                }
    entries = {"sources": {}, "files": {"meter": {"path": "meter.csv"}}}
    plain_yaml.write({**entries, "datasets": datasets, "experiments": experiments}, workspace.params)
    source(workspace, "meter")
    for name in datasets:
        prepare(workspace, name)
    return workspace


NAMES = [
    f"{question}_{name}{end}"
    for question, (_, models) in QUESTIONS.items()
    for name in models
    for end in ("", "_calendar")
]


@pytest.mark.parametrize("name", NAMES)
def test_a_forecast_at_an_origin_of_the_past_is_what_the_run_said_there(workspace, tmp_path, name):
    train(workspace, name)
    wanted = params.load(workspace.params).experiment(name)
    data = dataset.load(workspace.prepared(wanted.dataset))
    run = run_folder.load(workspace.run(wanted.dataset, name))
    forecaster = Forecaster.of(workspace, name)
    forecaster.save(tmp_path / "apart")
    apart = Forecaster.load(tmp_path / "apart")
    windows, whole, zone = data.splits["test"], rows(), QUESTIONS[wanted.dataset][0].get("time_zone")
    stamps = pd.to_datetime(whole["day"] + " " + whole["hour"], format="%d.%m.%Y %H:%M")
    if zone:
        stamps = stamps.dt.tz_localize(zone).dt.tz_convert("UTC").dt.tz_localize(None)
    for place in (0, len(windows) // 2, len(windows) - 1):
        origin = data.stamps[windows.rows[place] - windows.step]
        past = whole[(stamps <= origin).to_numpy()]
        found = forecaster.forecast(past)
        expected = run.predictions[f"{run.points[-1]}_test"][:, place].reshape(len(run.summary.seeds), -1).mean(axis=0)
        expected = expected * data.scale.std + data.scale.mean
        np.testing.assert_allclose(found["forecast"], expected, rtol=2e-6)
        target = windows.rows[place] + windows.delay + windows.step * np.arange(windows.outputs)
        when = pd.DatetimeIndex(data.stamps[target])
        assert [*found["stamp"]] == [*(when.tz_localize("UTC").tz_convert(zone) if zone else when)]
        np.testing.assert_allclose(found["high"] - found["low"], 2 * forecaster.half_widths())
        pd.testing.assert_frame_equal(apart.forecast(past.iloc[-120:]), found)
