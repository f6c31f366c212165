"""`unroll repro --on`: a scheduler and workers as processes of their own, with homes of their own, on this machine."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from pipeline.errors import UnrollError, UsageError
from stages.repro import connection, dvc_graph, locked, worker
from stages.repro.cluster import Cluster as Head
from stages.repro.dvc_graph import Dvc
from stages.workspaces.miniature import make_workspace
from stages.workspaces.scaled import CONFIG
from tests.conftest import Miniature
from tests.stages.ending import still_there

pytest.importorskip("distributed", reason="the extra for clusters is not installed: .ci/venv cluster")

ROOT = Path(__file__).parents[3]

TRAIN = "unroll train ${key}"

IMPATIENT = """
from stages.__main__ import main
from stages.repro import connection
connection.QUIET["distributed.scheduler.worker-ttl"] = "5s"
main()
"""
"""`unroll`, whose scheduler does not wait for a minute until a silent worker counts as dead."""


class Cluster:
    """Starts processes, and ends them."""

    def __init__(self, folder, root):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{one.getsockname()[1]}"
        self.folder, self.root, self.processes = folder, root, {}
        self.start("scheduler", "cluster", "scheduler", self.address)
        self.says("scheduler", "scheduler at")

    def start(self, name, *command, **variables):
        own = ("DVC_", "MLFLOW_", "UNROLL_")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(own)} | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(self.root),
            "DVC_SITE_CACHE_DIR": str(self.folder / "site"),
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-c", IMPATIENT, *command],
                cwd=self.root,
                env=environment | variables,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def work(self, name):
        self.start(name, "cluster", "worker", self.address, "--name", name, "--home", str(self.folder / name))

    def build(self, *arguments):
        self.start("head", "repro", "--on", self.address, *arguments)

    def kill(self, name):
        """As if its machine was switched off; the processes that its stage consisted of."""
        family = psutil.Process(self.processes[name].pid).children(recursive=True)
        self.processes[name].kill()
        self.processes[name].wait()
        return family

    def said(self, name):
        return (self.folder / f"{name}.log").read_text()

    def says(self, name, text):
        self.until(lambda: text in self.said(name), name)

    def until(self, condition, name="head"):
        limit = time.monotonic() + 120
        while not condition():
            assert self.processes[name].poll() is None, self.said(name)
            assert time.monotonic() < limit, self.said(name)
            time.sleep(0.02)

    def close(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait()


@pytest.fixture
def head(tmp_path):
    """One data set, one training, which waits for a file `go`; and a folder that all machines reach as remote."""
    make_workspace(ROOT, tmp_path / "head")
    miniature = Miniature(tmp_path / "head")
    (tmp_path / "head" / ".dvc" / "config").write_text(
        f"{CONFIG}    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n"
    )
    waiting = f"touch {tmp_path}/trains-$(basename $(dirname $PWD)); until test -e {tmp_path}/go; do sleep 0.05; done; "
    graph = (tmp_path / "head" / "dvc.yaml").read_text()
    assert TRAIN in graph
    (tmp_path / "head" / "dvc.yaml").write_text(graph.replace(TRAIN, waiting + TRAIN))

    def only_waves(data):
        data["sources"] = {"waves": data["sources"]["waves"]}
        data["datasets"] = {"waves": data["datasets"]["waves"]}
        data["experiments"] = {"waves_linear": data["experiments"]["waves_linear"]}

    miniature.change(only_waves)
    return miniature


@pytest.fixture
def cluster(tmp_path, head):
    found = Cluster(tmp_path, head.root)
    yield found
    found.close()


def trains(folder):
    """The workers that have begun to train."""
    return {path.name.removeprefix("trains-") for path in folder.glob("trains-*")}


def test_a_build_whose_workers_are_killed_or_hang_has_the_bytes_of_a_local_one(tmp_path, head, cluster):
    cluster.work("a")
    cluster.work("b")
    cluster.build()
    cluster.until(lambda: trains(tmp_path))
    (first,) = trains(tmp_path)
    left = cluster.kill(first)
    cluster.until(lambda: len(trains(tmp_path)) == 2)
    assert still_there(left) == []
    (second,) = trains(tmp_path) - {first}
    cluster.processes[second].send_signal(signal.SIGSTOP)  # closes no connection
    cluster.says("head", "no worker is there; waiting")
    (tmp_path / "go").touch()
    cluster.work("late")
    cluster.processes[second].send_signal(signal.SIGCONT)
    assert cluster.processes[second].wait() == 1
    assert "or heard nothing of it" in cluster.said(second)
    assert cluster.processes["head"].wait() == 0, cluster.said("head")
    said = cluster.said("head")
    assert "train@waves_linear" in said
    assert "on late" in said
    assert f"worker {first} is gone" in said

    local = Miniature(tmp_path / "local")
    shutil.copytree(head.root, local.root, ignore=shutil.ignore_patterns("cache", "tmp", "dvc.lock", ".unroll", "runs"))
    local.unroll("repro")
    assert (head.root / "dvc.lock").read_bytes() == (local.root / "dvc.lock").read_bytes()
    assert "up to date" in head.dvc("repro")
    for file in ("report/index.html", "metrics/waves.json", "evaluations/waves/tables/predictions.csv"):
        assert (head.root / file).read_bytes() == (local.root / file).read_bytes()
    assert (head.root / "records" / "waves" / "waves_linear.json").exists()


def test_without_its_scheduler_a_build_ends_in_one_line_and_goes_on_later(tmp_path, cluster):
    cluster.work("a")
    cluster.build()
    cluster.until(lambda: trains(tmp_path))
    stage = psutil.Process(cluster.processes["a"].pid).children(recursive=True)
    cluster.kill("scheduler")
    assert cluster.processes["head"].wait() == 1
    assert cluster.said("head").splitlines()[-1].startswith(f"unroll: the scheduler at {cluster.address} is gone")
    assert cluster.processes["a"].wait() == 1
    assert still_there(stage) == []
    assert "Traceback" not in cluster.said("head") + cluster.said("a")

    cluster.start("scheduler", "cluster", "scheduler", cluster.address)
    cluster.work("a")
    cluster.build()
    cluster.says("head", "worker a is there")
    cluster.processes["head"].send_signal(signal.SIGKILL)  # and the head
    (tmp_path / "go").touch()
    cluster.processes["head"].wait()
    cluster.build()
    assert cluster.processes["head"].wait() == 0, cluster.said("head")
    assert "prepare@waves" not in cluster.said("head")


def test_a_remote_that_stops_answering_is_waited_for_and_one_that_never_did_is_not(monkeypatch):
    monkeypatch.setattr(dvc_graph, "PAUSE", 0)
    answers = []

    def move(_objects):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(failed={*range(answer)})

    dvc, stage = Dvc.__new__(Dvc), SimpleNamespace(addressing="train@a", get_used_objs=lambda: {None: {"file"}})
    dvc._reached = False
    answers[:] = [OSError("no such host"), 0]
    with pytest.raises(UnrollError, match=r"remote does not work \(no such host\)"):
        dvc._transfer(move, stage)
    answers[:] = [0, OSError("away"), 2, 0]
    dvc._transfer(move, stage)
    dvc._transfer(move, stage)
    assert answers == []
    answers[:] = [2] * dvc_graph.TRIES
    with pytest.raises(UnrollError, match=r"2 files of train@a did not get through"):
        dvc._transfer(move, stage)


def test_what_is_not_safe_is_refused_in_one_line(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="is not on this machine alone"):
        connection.security("tcp://10.0.0.1:8786", None)
    with pytest.raises(UsageError, match="must be like"):
        connection.security("somewhere:8786", None)
    with pytest.raises(UsageError, match="tls:// needs --certificates"):
        connection.security("tls://10.0.0.1:8786", None)
    with pytest.raises(UsageError, match="is missing; `unroll cluster certificates"):
        connection.security("tls://10.0.0.1:8786", tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:secret@host/records")
    with pytest.raises(UsageError, match="is no server") as refused:
        worker.check_records()
    assert "secret" not in str(refused.value)


def test_a_worker_with_another_environment_gets_no_slot_and_the_head_says_what_differs(head, capsys):
    ours = locked.environment()
    workers = {
        "fit": {"name": "fit", "resources": {locked.label(ours): 2.0}},
        "old": {"name": "old", "resources": {locked.label(ours | {"numpy": "1.0"}): 4.0}},
        "other": {"name": "other", "resources": {}},
    }
    scheduler = SimpleNamespace(identity=lambda n_workers: {"workers": workers} if n_workers == -1 else None)
    client = SimpleNamespace(status="running", scheduler=scheduler, sync=lambda ask, n_workers, **_: ask(n_workers))
    found = Head(head.workspace, None, None, connection.Address("tcp://127.0.0.1:1"), client)
    assert found.slots() == 2
    said = capsys.readouterr().out
    assert f"worker old is not used: it has numpy 1.0; here is numpy {ours['numpy']}" in said
    assert "worker other is not used: it was not started by `unroll cluster worker`" in said


def test_a_worker_needs_the_certificate_of_the_cluster(tmp_path):
    import asyncio

    from distributed import Client, Scheduler

    connection.make_certificates(tmp_path / "ours")
    connection.make_certificates(tmp_path / "theirs")
    assert (tmp_path / "ours" / connection.KEY).stat().st_mode & 0o77 == 0
    ours, theirs = (connection.security("tls://127.0.0.1:1", tmp_path / name) for name in ("ours", "theirs"))
    options = {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"}

    async def connect():
        connection.require()
        async with Scheduler(protocol="tls", security=ours, **options) as scheduler:
            async with Client(scheduler.address, security=ours, asynchronous=True) as client:
                assert client.status == "running"
            with pytest.raises(OSError):
                await Client(scheduler.address, security=theirs, asynchronous=True, timeout=2)

    asyncio.run(connect())
