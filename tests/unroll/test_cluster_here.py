"""The servers of `make cluster`, all on this machine; what builds on them is tried in tests/unroll/cluster."""

import shutil
import tempfile
import time
from pathlib import Path

import psutil
import pytest
import requests

from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from tests.support import REPOSITORY
from unroll import cluster_here

pytest.importorskip("distributed", reason="the extra for clusters is not installed: .ci/venv cluster")

NAMES = ("postgres", "s3", "mlflow", "scheduler", "worker-a")


@pytest.fixture
def workspace(monkeypatch):
    """PostgreSQL, which root has to run as another user, gets through to it."""
    try:
        cluster_here._postgres()
    except UnrollError as error:
        pytest.skip(str(error))
    root = Path(tempfile.mkdtemp())
    root.chmod(0o711)
    monkeypatch.setattr(cluster_here, "WORKERS", ("a",))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    yield Workspace(root)
    cluster_here.down(Workspace(root))
    shutil.rmtree(root)


def until(condition):
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def status(address, **options):
    """What is answered by HTTP; 0: the connection is closed, as where something else is spoken."""
    try:
        return requests.get(address, timeout=20, **options).status_code
    except requests.ConnectionError:
        return 0


def test_servers_answer_nobody_else_and_one_that_died_starts_again(workspace, capsys):
    cluster_here.up(workspace)
    home = workspace.root / cluster_here.FOLDER
    run, settings = home / "run", cluster_here._settings(home)
    until(lambda: "worker a: 1 slots" in (run / "worker-a.log").read_text())
    for name in NAMES:
        server = cluster_here._process(home, name)
        family = [server, *server.children(recursive=True)]
        bound = {bound.laddr for process in family for bound in process.net_connections() if not bound.raddr}
        assert {address.ip for address in bound} == {cluster_here.HOST}, name
        for address in bound:
            assert status(f"http://{address.ip}:{address.port}/{cluster_here.BUCKET}") in {0, *range(400, 500)}, name
        assert settings["password"] not in str([process.cmdline() for process in family])
    experiment = f"http://{cluster_here.HOST}:{settings['mlflow']}/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert (status(experiment), status(experiment, auth=(cluster_here.USER, settings["password"]))) == (401, 200)
    assert home.stat().st_mode & 0o7 == 0
    for file in (run, home / "environment", home / "s3" / cluster_here.BUCKET, *(home / "certificates").glob("key*")):
        assert file.stat().st_mode & 0o77 == 0, file
    server = cluster_here._process(home, "postgres")
    server.kill()
    until(lambda: not psutil.pid_exists(server.pid))
    capsys.readouterr()
    cluster_here.up(workspace)
    assert capsys.readouterr().out.startswith("postgres started")
