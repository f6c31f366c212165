"""Faults, and the page that says what comes of them: docs/reliability.md is checked, or written, by these tests."""

import shutil

import pytest

from pipeline.errors import UnrollError
from pipeline.tracking import store
from tests.faults import table
from tests.faults.lab import Lab, build


def pytest_addoption(parser) -> None:
    parser.addoption("--write-reliability", action="store_true", help="write the tables of docs/reliability.md anew")


def pytest_configure(config) -> None:
    config.stash[table.MADE] = {}


def pytest_sessionfinish(session, exitstatus) -> None:
    if exitstatus == pytest.ExitCode.OK and table.writing(session.config):
        table.write(session.config.stash[table.MADE])


@pytest.fixture
def report(request):
    """What a test calls with a place and a row: the page has to say it."""
    return lambda place, row: table.report(request.config, place, row)


@pytest.fixture
def listed(request):
    """Place -> what is wrong and the command, of every row that the page has (or will have)."""
    return lambda place: table.listed(request.config, place)


@pytest.fixture(scope="session")
def baselines(tmp_path_factory) -> Lab:
    """A workspace of baselines, every stage of it built. Do not change it: `lab` is a copy to work on."""
    with pytest.MonkeyPatch.context() as patch:
        _untracked(patch)
        return build(tmp_path_factory.mktemp("faults") / "built")


@pytest.fixture
def lab(baselines, tmp_path, monkeypatch) -> Lab:
    """A copy of the built workspace that a test may change; without MLflow, which takes seconds."""
    _untracked(monkeypatch)
    shutil.copytree(baselines.root, tmp_path / "lab")
    return Lab(tmp_path / "lab")


def _untracked(patch) -> None:
    def connect(_):
        raise UnrollError("this test is not about it")

    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.setattr(store, "connect", connect)
