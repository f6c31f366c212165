import contextlib
import json

import pytest
import requests

from bench.own_series import files, measure
from bench.process_cost import CommandFailedError
from pipeline.config import plain_yaml
from pipeline.workspace import Workspace
from stages.commands.main import invoke


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace to which the first file was added, where no command runs and no server starts."""
    workspace = Workspace(tmp_path)
    plain_yaml.write(measure.EMPTY, workspace.params)
    files.FORMS[0].write(tmp_path / "meter.csv", 800)
    invoke(["--root", str(tmp_path), "add", str(tmp_path / "meter.csv"), "--target", "load (kW)", "--yes"])
    monkeypatch.setattr(measure, "unroll", lambda *_: {})
    monkeypatch.setattr(measure, "server", lambda *_: contextlib.nullcontext("address"))
    return workspace


def test_every_request_has_the_rows_that_a_forecast_needs(workspace, monkeypatch):
    sent = []
    monkeypatch.setattr(measure, "ask", lambda address, body: sent.append((address, body)) or 0.02)
    found = list(measure.answers(workspace, files.FORMS[0], "ridge", 8, lambda _: None))
    assert [one["at_once"] for one in found] == list(measure.AT_ONCE)
    assert all(one["median"] == pytest.approx(20) and one["p95"] == pytest.approx(20) for one in found)
    assert len(sent) == len(measure.AT_ONCE) * 8 + sum(measure.AT_ONCE)
    address, body = sent[0]
    assert address == "address"
    rows = json.loads(body)["dataframe_records"]
    assert (
        len(rows)
        == found[0]["rows"]
        == plain_yaml.read(workspace.params)["datasets"]["meter"]["preparation"]["lookback"]
    )
    assert rows[-1].keys() == {"Date", "Time", "load (kW)", "wind (m/s)"}


def test_an_answer_that_is_an_error_ends_the_measurement(monkeypatch):
    answer = requests.Response()
    answer.status_code, answer._content = 400, b"a row is missing"
    monkeypatch.setattr(measure.requests, "post", lambda *_, **__: answer)
    with pytest.raises(CommandFailedError, match="the server says 400: a row is missing"):
        measure.ask("address", "{}")
