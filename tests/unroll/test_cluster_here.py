"""The servers of `make cluster`, all on this machine; what builds on them is tried in tests/unroll/cluster."""

import shutil
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from tests.support import REPOSITORY
from unroll import cluster_here
from unroll.cluster import connection

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


def test_servers_listen_on_this_machine_alone_and_one_that_died_starts_again(workspace, capsys):
    cluster_here.up(workspace)
    run = workspace.root / cluster_here.FOLDER / "run"
    until(lambda: "worker a: 1 slots" in (run / "worker-a.log").read_text())
    for name in NAMES:
        server = cluster_here._process(run / f"{name}.pid")
        family = [server, *server.children(recursive=True)]
        bound = {one.laddr.ip for process in family for one in process.net_connections() if not one.raddr}
        assert bound, name
        assert [address for address in bound if not connection.loopback(address)] == [], name
    server = cluster_here._process(run / "postgres.pid")
    server.kill()
    until(lambda: not psutil.pid_exists(server.pid))
    capsys.readouterr()
    cluster_here.up(workspace)
    assert capsys.readouterr().out.startswith("postgres started")
