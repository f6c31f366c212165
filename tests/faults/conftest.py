"""Faults are caused for real: damaged files, full disks, dead servers, killed processes (docs/reliability.md)."""

import os
import shutil

import pytest

from pipeline.tracking import store
from pipeline.workspace import Workspace
from tests.faults.lab import Lab
from unroll.runner import processes

prepare = processes.prepare


@pytest.fixture(autouse=True, scope="session")
def unaffected(tmp_path_factory):
    """No variable of the user's own workspace counts, and no test waits for MLflow or for imports that it needs not."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("DVC_", "MLFLOW_", "UNROLL_"))]:
            patch.delenv(name)
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        patch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("notes")))
        patch.setenv("NO_PROXY", "*")
        patch.setattr(processes, "prepare", lambda *_, **__: None)
        yield


@pytest.fixture
def lab(miniature, tmp_path, monkeypatch) -> Lab:
    """A copy of the built workspace that a test may change, with notes of DVC's of its own."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "notes"))
    shutil.rmtree(miniature.workspace.scratch / "logs")
    return Lab(miniature.root)


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """An MLflow store with nothing in it: to set one up takes seconds."""
    root = tmp_path_factory.mktemp("database")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI")
        store.connect(Workspace(root))
    return root / "mlflow.db"
