"""A registered model, served by MLflow, says what its forecaster says."""

import json
import math
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
import uvicorn
from mlflow.models import Model

from pipeline.config import params
from pipeline.data import dataset
from pipeline.errors import UnrollError, UsageError
from pipeline.tracking import models, store
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from stages.source import source
from tests.support.trained_forecaster import forecaster_of
from tests.support.training import train
from unroll.mlflow_tools import model_registry
from unroll.series import answer_page, windowed
from unroll.series.reading import file_rows
from unroll.series.row_options import Cleaning, CsvFormat, SeriesWindows

PARAMS = """
sources: {}
files: {meter: {path: meter.csv}}
datasets:
  meter:
    source: meter
    preparation:
      name: series
      csv: {file: meter.csv, stamp: time, target: load}
      windows: {lookback: 24, horizon: 2}
      train: 0.6
experiments:
  meter:
    last: {model: {family: baselines, name: last_value}, training: {method: none}}
    ridge: {model: {family: baselines, name: linear, last: 6}, training: {method: least_squares, ridge: 1.0}}
"""


def rows():
    hours = np.arange(400)
    stamps = pd.Timestamp("2023-05-01") + pd.to_timedelta(hours, unit="h")
    load = np.round(100 + 20 * np.sin(hours * math.pi / 12) + 5 * np.sin(hours**2), 2)
    return pd.DataFrame(
        {"time": stamps.strftime("%Y-%m-%d %H:%M"), "load": load, "wind": hours % 7 / 2}
    )


@pytest.fixture(scope="module")
def workspace(alone, tmp_path_factory):  # noqa: ARG001 - the user's store is out of reach by then
    workspace = Workspace(tmp_path_factory.mktemp("series"))
    rows().to_csv(workspace.root / "meter.csv", index=False)
    workspace.params.write_text(PARAMS, encoding="utf-8")
    source(workspace, "meter")
    file = workspace.raw("meter") / "meter.csv"
    csv = CsvFormat(stamp=["time"], target="load")
    table = file_rows.table_of(file_rows.read([file], csv))
    windows = SeriesWindows(lookback=24, horizon=2)
    data = windowed.cut("meter", table, csv, Cleaning(), windows, 0.6)
    dataset.save(data, workspace.prepared("meter"))
    for name in ("meter/last", "meter/ridge"):
        train(workspace, name)
    return workspace


def answer_of(workspace, name):
    """An answer whose champion is a trained experiment."""
    forecaster = forecaster_of(workspace, f"meter/{name}")
    return SimpleNamespace(
        name="meter",
        forecaster=forecaster,
        rows=file_rows.read([workspace.root / "meter.csv"], forecaster.fitted.csv),
        folder=workspace.root / "meter",
        sentence="Open.",
        target="load",
        findings=SimpleNamespace(horizon=2),
        board=SimpleNamespace(
            champion=name,
            models={name: SimpleNamespace(mae=1.5, wql=0.1, coverage=None)},
        ),
    )


@pytest.fixture(scope="module")
def registered(workspace):
    def drawn(_answer, folder):
        (folder / answer_page.PAGE).write_text("drawn")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(answer_page, "write", drawn)
        return [
            model_registry.register(workspace, answer_of(workspace, name))
            for name in ("last", "ridge", "ridge")
        ]


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def address(workspace, registered, tmp_path_factory):
    """Where the champion is served."""
    assert registered
    from mlflow.pyfunc.scoring_server import client

    port = free_port()
    command = [
        sys.executable,
        "-m",
        "unroll",
        "--root",
        workspace.root,
        "serve",
        "meter",
    ]
    server = subprocess.Popen(
        [*command, "--port", str(port)], cwd=tmp_path_factory.mktemp("server")
    )
    try:
        client.ScoringServerClient("127.0.0.1", port).wait_server_ready(120, server)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def serving(app):
    """Serve an app from a thread of this process."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        server.should_exit = True
        thread.join()


def post(address, body, kind="application/json"):
    return requests.post(
        address, data=body, headers={"Content-Type": kind}, timeout=120
    )


def test_registering_again_makes_no_new_version_and_the_alias_moves(registered):
    versions = [
        ("1", None, True),
        ("2", "1", True),
        ("2", "2", False),
    ]
    assert [
        (model.version, model.before, model.new) for model in registered
    ] == versions


def test_a_version_belongs_to_the_run_that_was_recorded_and_leaves_it_as_it_was(
    workspace, registered
):
    with store.opened(workspace) as opened:
        client = opened.client
    version = client.get_model_version_by_alias("meter", "champion")
    assert str(version.version) == registered[-1].version
    run = client.get_run(version.run_id)
    assert version.tags == {"fingerprint": run.data.tags["fingerprint"]}
    assert run.info.status == "FINISHED"
    assert [file.path for file in client.list_artifacts(version.run_id)] == [
        answer_page.PAGE
    ]
    assert run.data.metrics == {"ridge/mae": 1.5, "ridge/wql": 0.1}
    assert run.data.params == {
        "target": "load",
        "horizon": "2",
        "champion": "ridge",
        "forecasts by": "as asked",
    }
    model = version.source.removesuffix("/artifacts").rpartition("/")[2]
    tags = client.get_logged_model(model).tags
    assert not [key for key, value in tags.items() if value.startswith("/")]
    assert version.description == tags["mlflow.note.content"]
    assert version.description.startswith("In: the last 53 rows or more, with")
    folder = workspace.root / "mlartifacts" / "meter" / "models" / model / "artifacts"
    assert not (folder / "code").exists()
    pins = (folder / "requirements.txt").read_text(encoding="utf-8").split()
    assert {"numpy", "keras", "mlflow"} <= {
        pin.partition("==")[0] for pin in pins if "==" in pin
    }
    example = json.loads(
        (folder / "serving_input_example.json").read_text(encoding="utf-8")
    )["dataframe_split"]
    assert example["data"] == rows().tail(53).to_numpy().tolist()


@pytest.mark.parametrize("level", [None, 0.5])
def test_the_server_says_what_the_forecaster_says_to_the_last_digit(
    workspace, address, level
):
    forecaster = answer_of(workspace, "ridge").forecaster
    forecasts = forecaster.after(forecaster.windows(rows()), (level or 0.9,))
    assert [*forecasts] == [
        "unique_id",
        "ds",
        "y_hat",
        *(f"{end}-{100 * (level or 0.9):g}" for end in ("lo", "hi")),
    ]
    body = {"dataframe_records": rows().tail(53).to_dict("records")} | (
        {"params": {"level": level}} if level else {}
    )
    answer = post(address, json.dumps(body))
    assert answer.status_code == 200, answer.text
    expected = forecasts.assign(
        ds=[stamp.isoformat() for stamp in forecasts["ds"]]
    ).to_dict("records")
    assert answer.json()["predictions"] == expected
    if not level:
        times = pd.to_datetime(rows()["time"]).astype("datetime64[ms]")
        typed = rows().assign(time=times.astype("int64"))
        milliseconds = json.loads(typed.tail(53).to_json(orient="split"))
        assert milliseconds["data"][0][0] > 1e12
        for request in (
            (rows().to_csv(index=False), "text/csv"),
            (json.dumps({"dataframe_split": milliseconds}),),
        ):
            assert post(address, *request).json() == answer.json()


def test_a_model_whose_loader_is_not_ours_is_not_served_nor_run(
    workspace, registered, tmp_path
):
    """As somebody else might have put it into the registry: with code of its own, as
    the champion."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "theirs.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    )
    flavors = {
        "python_function": {"loader_module": "theirs", "code": "code", "data": "data"}
    }
    Model(flavors=flavors).save(tmp_path / "MLmodel")
    with store.opened(workspace) as opened:
        client = opened.client
    version = client.create_model_version(
        "meter", str(tmp_path), tags={"fingerprint": "theirs"}
    ).version
    client.set_registered_model_alias("meter", "champion", version)
    try:
        with pytest.raises(UnrollError, match="is loaded by theirs from 'data'"):
            model_registry.app(workspace, "meter")
    finally:
        client.set_registered_model_alias("meter", "champion", registered[-1].version)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(
        UsageError,
        match=r"the name of a registered model must be one of: meter. Received: 'metre'",
    ):
        model_registry.app(workspace, "metre")
    (workspace.root / "pump").mkdir()
    (workspace.root / "pump" / "answer.json").write_text("{}")
    with pytest.raises(UsageError, match="`unroll register pump` does it"):
        model_registry.app(workspace, "pump")


def test_what_a_killed_registration_left_is_ended_by_the_next_one(
    workspace, registered
):
    assert registered
    with store.opened(workspace) as opened:
        group = opened.experiment("meter")
        left = opened.client.create_run(group).info.run_id
    model_registry.register(workspace, answer_of(workspace, "ridge"))
    with store.opened(workspace) as opened:
        assert opened.client.get_run(left).info.status == "KILLED"


def test_an_experiment_is_registered_and_served_by_its_run(workspace, registered):
    """In the unit of the data, from windows as they are prepared."""
    assert registered
    experiment = params.load(workspace.params).experiment("meter/ridge")
    with pytest.raises(UsageError, match="a registered model must be one of: meter"):
        model_registry.app(workspace, "meter/ridge")
    for new in (True, False):
        made = model_registry.register_experiment(workspace, "meter/ridge", experiment)
        assert (made.version, made.new) == ("1", new)
    data = dataset.load(workspace.prepared("meter"))
    test = data.splits["test"]
    inputs, _ = test.take(np.arange(len(test)))
    run = run_folder.load(workspace.run("meter", "ridge"))
    expected = run.predictions["final_test"][0] * data.scale.std + data.scale.mean
    with serving(model_registry.app(workspace, "meter/ridge")) as address:
        answer = post(address, json.dumps({"inputs": inputs.tolist()}))
        np.testing.assert_allclose(answer.json()["predictions"], expected, rtol=1e-12)
        for wrong, line in (
            ([[[1]]], "Shape of input"),
            (np.full(inputs[:1].shape, math.inf).tolist(), "must be finite numbers"),
        ):
            answer = post(address, json.dumps({"inputs": wrong}))
            assert answer.status_code == 400
            assert line in answer.json()["message"]


def test_an_experiment_that_is_not_trained_or_cannot_predict_is_not_registered(
    workspace, monkeypatch
):
    experiment = params.load(workspace.params).experiment("meter/ridge")
    monkeypatch.setattr(models, "predicts", lambda *_: False)
    with pytest.raises(UnrollError, match="its training method, least_squares, leaves"):
        model_registry.register_experiment(workspace, "meter/ridge", experiment)
    monkeypatch.undo()
    with pytest.raises(UnrollError, match="run `unroll train meter gru`"):
        model_registry.register_experiment(workspace, "meter/gru", experiment)


@pytest.mark.usefixtures("alone")
def test_where_nothing_is_registered_the_error_names_the_command_that_does_it(tmp_path):
    with pytest.raises(
        UsageError, match="no model is registered here; `unroll register meter`"
    ):
        model_registry.app(Workspace(tmp_path), "meter")


def records(change):
    return lambda: json.dumps(
        {"dataframe_records": change(rows().tail(53)).to_dict("records")}
    )


BAD = [
    (
        records(lambda rows: rows.rename(columns={"wind": "gale"})),
        "has no column 'wind'",
    ),
    (
        records(lambda rows: rows.add_suffix("_kw")),
        "has no column 'time', which meter was trained on",
    ),
    (
        records(lambda rows: rows.assign(wind=np.nan)),
        "a forecast needs the last 24 rows, and 'wind' holds no value until",
    ),
    (
        records(lambda rows: rows.assign(load="calm")),
        "column 'load' holds 'calm', not a finite number",
    ),
    (
        records(lambda rows: rows.assign(load=1e308)),
        "'load' holds a number too large for any model",
    ),
    (lambda: "[" * 100_000 + "]" * 100_000, "cannot be read (RecursionError"),
    (lambda: '{"dataframe_records": ' + "[" * 100_000 + "}", "cannot be read"),
    (
        lambda: json.dumps(
            {
                "dataframe_split": {
                    "columns": ["time", "load", "load"],
                    "data": [["SECRET", 1, 2]] * 99,
                }
            }
        ),
        "has two columns 'load'",
    ),
    (
        lambda: '{"dataframe_split": {"columns": [["a"]], "data": []}}',
        "data has no rows",
    ),
    (lambda: '{"inputs": [["SECRET"]]}', "dataframe_split or dataframe_records"),
    (lambda: '{"SECRET": ', "JSONDecodeError"),
    (
        lambda: '{"dataframe_records": [{}], "params": {"horizon": 3}}',
        "unknown parameter 'horizon'; known: level",
    ),
    (lambda: b'{"dataframe_records": [{"SECRET": "Z\xfcrich"}]}', "not UTF-8"),
]


@pytest.mark.parametrize("level", ["x", [0.5], {"a": 1}, True, -1, 7])
def test_a_wrong_level_is_refused_and_no_row_of_the_request_is_repeated(address, level):
    body = {"dataframe_records": rows().tail(53).to_dict("records")}
    answer = post(address, json.dumps(body | {"params": {"level": level}}))
    assert answer.status_code == 400
    assert "level" in answer.json()["message"]
    assert "2023-05" not in answer.text


def test_a_loaded_model_takes_every_type_that_a_frame_may_have(
    workspace, registered, monkeypatch
):
    """Whole numbers for decimals, too, and timestamps."""
    assert registered
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri_of(workspace))
    whole = rows().assign(load=lambda table: table["load"].round()).tail(24)
    expected = answer_of(workspace, "ridge").forecaster.forecast(whole)["y_hat"]
    time = pd.to_datetime(whole["time"])
    frames = [
        whole.astype({"load": "int64"}),
        whole.astype({"load": "Int64"}),
        whole.astype({"load": "int16", "wind": object}),
        whole.assign(time=time),
        whole.assign(time=time.dt.tz_localize("UTC")),
        whole.astype({"time": "category"}),
        whole.assign(time=time.dt.to_period("h")),
        whole.assign(time=time).set_index("time"),
        whole.convert_dtypes(dtype_backend="pyarrow"),
    ]
    model = mlflow.pyfunc.load_model("models:/meter@champion")
    for frame in frames:
        found = model.predict(frame)["y_hat"]
        np.testing.assert_allclose(found, expected, err_msg=str(frame.dtypes))


def test_no_link_in_a_registered_model_is_followed(workspace, registered, tmp_path):
    with store.opened(workspace) as opened:
        version = opened.client.get_model_version("meter", registered[-1].version)
    folder = Path(version.source.removeprefix("file://"))
    weights = folder / "data" / "model" / "forecaster.npz"
    weights.rename(tmp_path / "away")
    weights.symlink_to(tmp_path / "away")
    with pytest.raises(UnrollError, match=r"forecaster\.npz is a link"):
        model_registry.app(workspace, "meter")
    weights.unlink()
    (tmp_path / "away").rename(weights)
    flavors = (folder / "MLmodel").read_text()
    for path in ("../../../data/model", "/data/model", "data"):
        (folder / "MLmodel").write_text(flavors.replace("data/model", path))
        with pytest.raises(UnrollError, match=f"from '{path}', which is not"):
            model_registry.app(workspace, "meter")
    (folder / "MLmodel").write_text(flavors)


def test_what_is_far_outside_has_a_warning_and_what_cannot_be_used_is_refused_in_one_line(
    address,
):
    answer = post(address, records(lambda rows: rows.assign(wind=90.5))())
    assert answer.status_code == 200, answer.text
    for row in answer.json()["predictions"]:
        assert row["warning"].startswith("'wind' is 90.5 at 2023-05-")
    for body, line in BAD:
        answer = post(address, body())
        assert (answer.status_code, "\n" in answer.text) == (400, False)
        assert "SECRET" not in answer.text
        assert line in answer.json()["message"]
    for kind in ("application/vnd.apache.parquet", "text/plain"):
        answer = post(address, rows().to_parquet(), kind)
        assert answer.status_code == 400
        assert f"application/json or text/csv. Received: '{kind}'" in answer.text
    for text in (rows().to_csv(header=False), "SECRET,Z\xfc\n".encode("latin-1")):
        answer = post(address, text, "text/csv")
        assert answer.status_code == 400
        assert not re.search("SECRET|2023-05", answer.text)
    for text in ("time,load,wind\n2023-05-01 00:00,calm,1\n", ""):
        answer = post(address, text, "text/csv")
        assert answer.status_code == 400
        assert re.search("'calm', not a finite|No columns", answer.json()["message"])
        assert ".py" not in answer.text
