"""Faults are caused for real: damaged files, full disks, dead servers, killed processes (docs/reliability.md)."""

import os
import shutil
import time
from pathlib import Path

import pytest

from pipeline.tracking import store
from pipeline.workspace import Workspace
from stages.repro import processes
from stages.repro.build import environment
from stages.workspaces.miniature import make_workspace
from tests.faults.lab import NOWHERE, PARAMS, ROOT, Lab, build


@pytest.fixture(autouse=True, scope="session")
def unaffected(tmp_path_factory):
    """No variable of the user's own workspace counts, and no test waits for MLflow."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("DVC_", "MLFLOW_", "UNROLL_"))]:
            patch.delenv(name)
        patch.setenv("MLFLOW_TRACKING_URI", NOWHERE)
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        patch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("notes")))
        patch.setenv("NO_PROXY", "*")
        yield


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Lab:
    """A workspace whose every stage is built, without DVC. Do not change it: `lab` is a copy to work on."""
    return build(tmp_path_factory.mktemp("faults") / "finished")


@pytest.fixture
def lab(finished, tmp_path) -> Lab:
    """A copy of the built workspace that a test may change."""
    return Lab(shutil.copytree(finished.root, tmp_path / "lab"))


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """An MLflow store with nothing in it: to set one up takes seconds."""
    root = tmp_path_factory.mktemp("database")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI")
        store.connect(Workspace(root))
    return root / "mlflow.db"


@pytest.fixture(scope="session")
def fork_server(request) -> None:
    """What stages are forked from has imported what they need; TensorFlow too, where that pays."""
    processes.prepare(environment(), networks=request.config.getoption("--long"))
    one = processes.Process("true", ROOT, Path(os.devnull), {"PATH": os.defpath})
    while one.poll() is None:  # the first one waits until all is imported
        time.sleep(0.1)


@pytest.fixture(scope="session")
def unbuilt(tmp_path_factory, database) -> Lab:
    """A DVC workspace of six stages, none of them built."""
    lab = Lab(make_workspace(ROOT, tmp_path_factory.mktemp("unbuilt") / "lab").root)
    for section in PARAMS:
        lab.change(section, {name: entry for name, entry in PARAMS[section].items() if name.startswith("waves")})
    lab.change("experiments.waves_node", PARAMS["experiments"]["waves_linear"])  # no network, no TensorFlow
    shutil.copyfile(database, lab.root / "mlflow.db")
    return lab


@pytest.fixture(scope="session")
def built_by_dvc(unbuilt, fork_server, tmp_path_factory) -> Lab:  # noqa: ARG001 - it has to run
    """The same, built by `unroll repro`."""
    lab = Lab(shutil.copytree(unbuilt.root, tmp_path_factory.mktemp("built") / "lab"))
    lab.succeeds("repro --jobs 2")
    return lab
