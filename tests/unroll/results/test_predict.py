"""From a file to a forecast by the commands, and what a user is told on the way."""

import json
import math
import re
from dataclasses import replace

import pandas as pd
import pytest

import unroll
from pipeline.config import plain_yaml
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from series.forecaster import Forecaster
from tests.support import REPOSITORY
from tests.support.examples import run_example
from tests.support.training import added
from unroll.commands.main import invoke
from unroll.project import Project


def value(hour):
    return round(100 + 20 * math.sin(hour * math.pi / 12) + math.sin(hour**2), 1)


MODELS = ("last_value", "ridge", "gru")


@pytest.fixture(scope="module")
def hours(tmp_path_factory):
    """A workspace after `unroll add`, with the quickest of the models that it wrote, and the rows."""
    stamps = pd.date_range("2023-01-01", periods=24 * 30, freq="h")
    frame = pd.DataFrame({"time": stamps, "load (kW)": [*map(value, range(24 * 30))]})

    def briefly(data):
        data["datasets"]["meter"]["seeds"] = 1
        data["datasets"]["meter"]["training"] |= {"epochs": 1, "batch_size": 128}
        data["experiments"]["meter"]["gru"]["model"]["units"] = 2

    root, flags = tmp_path_factory.mktemp("hours"), ("--horizon", "12", "--lookback", "24")
    return added(root, "meter", frame, MODELS, *flags, change=briefly, origins=9, refits=2), frame


def predict(capsys, workspace, *arguments):
    capsys.readouterr()
    invoke(["--root", str(workspace.root), "predict", *arguments])
    return capsys.readouterr().out


def test_what_was_added_is_forecast(hours, capsys):
    workspace, _ = hours
    text = predict(capsys, workspace, "meter")
    assert text.startswith("meter: ridge regression, fitted on all rows to 2023-01-30 23:00:00: MAE ")
    assert "over all rolling origins; GRU(2) " in text
    assert "the last row of meter.csv:\n\n" in text
    assert re.search(r"Intervals of 90 % held [0-9.]+ % of what came at 4 rolling origins", text), (
        "five are needed before"
    )
    predicted = json.loads(predict(capsys, workspace, "meter", "--json"))
    assert predicted["experiment"] == "meter"
    for row in predicted["forecasts"]:
        assert row["forecast"] == pytest.approx(value(720 + row["step"] - 1), abs=4)
        assert row["low"] < row["forecast"] < row["high"]
        assert 0.6 < row["coverage"] <= 1
    picture = workspace.root / "next.png"
    lines = predict(capsys, workspace, "meter", "--csv", "--level", "0.8", "--plot", str(picture)).splitlines()
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert lines[0] == "stamp,forecast,low,high"
    assert float(lines[1].split(",")[1]) == predicted["forecasts"][0]["forecast"]
    assert lines[1].split(",")[0] == predicted["forecasts"][0]["stamp"] == "2023-01-31 00:00:00"


def test_the_interface_in_python_gives_the_same_table(hours, capsys):
    workspace = hours[0]
    project = unroll.open(workspace.root)
    run_example(Project.forecast, project)
    lines = predict(capsys, workspace, "meter", "--csv", "--horizon", "2").splitlines()
    for data in (None, workspace.root / "meter.csv"):
        assert project.forecast("meter", data=data, horizon=2).to_csv(index=False).splitlines() == lines


def test_what_follows_the_rows_that_it_was_fitted_to_is_kept_and_asks_no_model(hours):
    workspace = hours[0]
    forecaster = Forecaster.load(workspace.forecaster("meter"))
    windows = forecaster.read([workspace.root / "meter.csv"])

    def never(_):
        raise AssertionError("a model is asked")

    computed = replace(forecaster, members=replace(forecaster.members, forecasts={}))
    predict = [[never]] * len(forecaster.members.predict)
    cached = replace(forecaster, members=replace(forecaster.members, predict=predict))
    pd.testing.assert_frame_equal(cached.after(windows), computed.after(windows))


def test_a_network_is_taken_by_name_and_says_what_it_said_at_an_origin(hours, capsys, tmp_path):
    workspace, frame = hours
    table = pd.read_parquet(workspace.run("meter", "gru") / "forecasts.parquet")
    last = table[table["cutoff"] == table["cutoff"].max()]
    frame[frame["time"] <= last["cutoff"].iloc[0]].to_csv(tmp_path / "new.csv", index=False)
    predicted = json.loads(predict(capsys, workspace, "meter/gru", "--data", str(tmp_path / "new.csv"), "--json"))
    assert (predicted["experiment"], predicted["why"]) == ("meter/gru", "as asked")
    assert [predicted["origin"], *(row["stamp"] for row in predicted["forecasts"])] == [
        *map(str, [last["cutoff"].iloc[0], *last["ds"]])
    ]
    assert [row["forecast"] for row in predicted["forecasts"]] == pytest.approx(last["y_hat"].tolist(), rel=2e-6)


LINEAR = {"model": {"family": "baselines", "name": "linear"}, "training": {"method": "least_squares"}}
WAVES = {
    "sources": {"waves": {"kind": "waves", "train": 20, "validation": 5, "test": 5}},
    "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
    "experiments": {"waves": {"linear": LINEAR}},
}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["meter", "--data", "none.csv"], "none.csv is not there"),
        (["meter", "--data", str(REPOSITORY / "docs/page.png")], "page.png is packed, binary, UTF-32 or UTF-16"),
        (["meter", "--future", str(REPOSITORY / "docs/page.png")], "page.png is packed, binary, UTF-32 or UTF-16"),
        (["meter", "--horizon", "13"], "--horizon must be 1 to 12, which"),
        (["meter", "--level", "2"], "the level must be 0.5 to 0.99"),
        (["meter", "--csv", "--json"], "pass --csv or --json, not both"),
        (["meter", "--plot", "next.docx"], "--plot must name a .png, .svg or .pdf file"),
        (["waves"], "waves is not built; `unroll repro evaluate@waves` builds it"),
        (["waves/linear"], "waves is no series with a time in each row"),
    ],
)
def test_what_cannot_be_done_gets_one_line(hours, tmp_path, capsys, arguments, message):
    workspace = hours[0]
    if "waves" in arguments[0]:
        workspace = Workspace(tmp_path)
        plain_yaml.write(WAVES, workspace.params)
    with pytest.raises(UnrollError, match=message):
        predict(capsys, workspace, *arguments)
