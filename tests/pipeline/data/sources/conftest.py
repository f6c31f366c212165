"""A web server on this machine whose answers a test scripts, and a context with little patience."""

import pytest

from pipeline.data.sources import Context
from pipeline.data.transfer import Patience
from tests.support.web_server import serving


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with serving() as server:
        yield server


@pytest.fixture
def reports():
    return []


@pytest.fixture
def context(tmp_path, reports):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    patience = Patience(connect=10, read=10, stall=10, floor=5000, attempts=3, pause=0.01, longest=0.05)
    return Context("imdb", tmp_path, scratch, None, lambda *report: reports.append(report), patience)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder
