"""A web server on this machine whose answers a test scripts, and what a source is
given."""

import types

import pooch
import pytest

from pipeline.data.fetch import Context
from tests.support.web_server import serving


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """The seconds that pooch would wait between tries, and does not."""
    waits = []
    monkeypatch.setattr(pooch.core, "time", types.SimpleNamespace(sleep=waits.append))
    return waits


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with serving() as server:
        yield server


@pytest.fixture
def context(tmp_path):
    return Context("imdb", tmp_path, tmp_path / "scratch", None)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder
