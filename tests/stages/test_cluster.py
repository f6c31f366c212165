"""Training on a Dask cluster of this machine: the same bytes, whatever breaks."""

import contextlib
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from distributed import Client

from pipeline.config import params
from pipeline.errors import UnrollError, UsageError
from pipeline.processes import Children, Server
from pipeline.tracking import runs
from pipeline.training import tasks
from stages import cluster, pool, train
from stages.perform import perform
from tests.support import content, last_output, still_there, trainable
from tests.support.trainable import AWAY, LINEAR, NODE

SLOW = NODE | {"training": NODE["training"] | {"epochs": 100_000}}

ODD = {"UNROLL_KEEP": "OPENBLAS_CORETYPE", "OPENBLAS_CORETYPE": "Nehalem"}
"""Variables of a worker that is refused."""


class Said:
    """What a process prints, read as it comes."""

    def __init__(self, process):
        self.process = process

    def wait_for(self, end):
        """Read up to the line with this end."""
        while not (line := self.process.stdout.readline()).rstrip().endswith(end):
            assert line, self.process.wait()


class Machines:
    """A scheduler and workers, each a process."""

    def __init__(self, folder, **variables):
        self.folder = folder
        self.processes = []
        self.scheduler = self.start(
            "scheduler", "--port", "0", "--host", "127.0.0.1", **variables
        )
        self.address = self.said(self.scheduler, "Scheduler at:").split()[-1]

    def start(self, what, *arguments, **variables):
        command = [sys.executable, "-m", "dask", what, *arguments, "--no-dashboard"]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **AWAY, **variables},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def worker(self, name, nanny="--no-nanny", **variables):
        process = self.start(
            "worker", self.address, nanny, "--name", name, "--nthreads", "1",
            **variables,
        )  # fmt: skip
        self.said(process, "Registered to:")
        return process

    def said(self, process, words):
        """The first line of a process with some words."""
        said = []
        while words not in (line := process.stderr.readline()):
            assert line, (process.wait(), said)
            said.append(line)
        return line

    def close(self):
        for process in self.processes:
            children = []  # of a nanny, which cannot end them any more
            if process.poll() is None:
                children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            process.communicate()


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    """A scheduler and one worker."""
    started = Machines(tmp_path_factory.mktemp("machines"))
    started.first = started.worker("first")
    yield started
    started.close()


def trainings(worker):
    """The processes in which a worker trains."""
    # Not by their parents' numbers: a process that has ended meanwhile has none.
    parent = psutil.Process(worker.pid)
    every = parent.children(recursive=True)
    own = parent.children()
    return [process for process in every if process not in own]


def wait_until(condition):
    limit = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_the_bytes_are_those_of_this_machine_though_a_worker_is_killed(
    machines, tmp_path, monkeypatch, capsys
):
    node = NODE | {"training": NODE["training"] | {"epochs": 10}}
    experiments = {"node": node, "linear": LINEAR}
    here = trainable.waves(tmp_path / "here", **experiments)
    wanted = train.tasks_of(here, params.load(here.params), "waves")
    with Server(pool.PRELOAD) as server, Children(server=server, jobs=1) as work:
        for task in wanted:
            work.submit(task, here.log(task.name), perform, here, task)
        assert not any(ended.error for ended in work.ended())
    for task in wanted:
        tasks.take(here, task)
    there = trainable.waves(tmp_path / "there", **experiments)
    doomed = machines.worker("doomed")
    monkeypatch.setenv(train.SCHEDULER, machines.address)
    monkeypatch.setattr(runs, "trained", lambda *_: None)  # MLflow takes seconds
    family = []

    def kill():
        wait_until(lambda: trainings(doomed))
        family.extend(psutil.Process(doomed.pid).children(recursive=True))
        doomed.kill()

    with ThreadPoolExecutor() as other:
        killed = other.submit(kill)
        train.train(there, "waves")
        killed.result()
    err = capsys.readouterr().err
    assert f"trains at {machines.address}: " in err
    assert re.search(r"waves/linear  .*  on (first|doomed)", err)
    assert family
    assert still_there(family) == []
    assert content(there.runs("waves")) == content(here.runs("waves"))
    assert there.record("waves", "node").exists()
    assert there.log("waves/node").exists()


def test_tasks_wait_for_the_first_worker(tmp_path, monkeypatch):
    workspace = trainable.waves(tmp_path / "project", linear=LINEAR)
    alone = Machines(tmp_path)

    def line(text, *_, **__):
        if text.endswith("no worker can train: waiting"):
            alone.worker("first")

    monkeypatch.setattr(cluster.progress, "line", line)
    monkeypatch.setattr(runs, "trained", lambda *_: None)
    monkeypatch.setenv(train.SCHEDULER, alone.address)
    with contextlib.closing(alone):
        train.train(workspace, "waves")
    assert workspace.record("waves", "linear").exists()


def test_who_is_different_gets_no_task_and_who_is_gone_leaves_no_work(
    machines, tmp_path, monkeypatch
):
    workspace = trainable.waves(tmp_path, node=SLOW, linear=LINEAR)
    monkeypatch.setenv(train.SCHEDULER, machines.address)
    build = trainable.start_training(workspace)
    wait_until(lambda: trainings(machines.first))
    machines.worker("odd", **ODD)
    finished = workspace.scratch / "finished"
    late = machines.worker("late")  # it takes what waits
    wait_until(lambda: [*finished.glob("waves-linear-*")])
    build.kill()
    output = last_output(build, [])
    assert (
        "no task for odd: OPENBLAS_CORETYPE None there, Nehalem on the worker" in output
    )

    def somebody_trains():
        return trainings(machines.first) or trainings(late)

    wait_until(lambda: not somebody_trains())
    build = trainable.start_training(workspace)
    wait_until(somebody_trains)
    machines.scheduler.kill()
    output = last_output(build, [])
    assert "waves: 1 of 2 experiments to train" in output
    assert build.returncode == 1
    assert "Traceback" not in output
    assert output.splitlines()[-1].startswith(
        "unroll: the connection to Dask's scheduler is lost; what was finished is kept"
    )
    wait_until(lambda: not somebody_trains())


def test_what_waits_is_taken_by_whoever_becomes_ready(tmp_path, monkeypatch, request):
    """Beside a refused worker, which was there first and stays to the end."""
    workspace = trainable.waves(tmp_path / "project", node=SLOW)
    several = Machines(tmp_path, DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="4s")
    request.addfinalizer(several.close)
    several.worker("odd", **ODD)
    monkeypatch.setenv(train.SCHEDULER, several.address)
    build = trainable.start_training(workspace)
    said = Said(build)
    said.wait_for("no worker can train: waiting")
    several.worker("nursed", "--nanny")
    said.wait_for(": nursed")
    with Client(several.address, set_as_default=False) as client:

        def trains(name):
            """The process of a worker that trains."""
            info = client.scheduler_info(n_workers=-1)["workers"]
            addresses = [key for key, each in info.items() if each["name"] == name]
            for pid in client.run(os.getpid, workers=addresses).values():
                worker = psutil.Process(pid)
                if trainings(worker):
                    return worker
            return None

        wait_until(lambda: trains("nursed"))
        trains("nursed").kill()
        said.wait_for("no worker can train: waiting")
        said.wait_for(": nursed")
        wait_until(lambda: trains("nursed"))
        trains("nursed").suspend()  # the scheduler gives it up, and the nanny ends it
        said.wait_for("no worker can train: waiting")
        said.wait_for(": nursed")
        wait_until(lambda: trains("nursed"))
        holders = client.has_what()
        [odd] = [
            key
            for key, each in client.scheduler_info()["workers"].items()
            if each["name"] == "odd"
        ]
        assert not holders[odd]
    build.kill()
    build.communicate()


def test_the_scheduler_is_lost_before_the_first_task(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 2)
    alone = Machines(tmp_path)

    def end_first():
        alone.close()
        return {}

    def close(client):
        monkeypatch.setattr(cluster.Client, "close", closed)
        closed(client)
        # As Dask raises where an attempt to connect ends at this moment.
        raise RuntimeError("Cannot change state of expiring Timeout")

    closed = cluster.Client.close
    monkeypatch.setattr(cluster.Client, "close", close)
    monkeypatch.setattr(cluster, "environment", end_first)
    lost = pytest.raises(UnrollError, match="connection to Dask's scheduler is lost")
    with lost, cluster.connected(alone.address, []):
        pass


def test_only_this_machine_is_reached_without_encryption(tmp_path, monkeypatch):
    workspace = trainable.waves(tmp_path, linear=LINEAR)
    for address, error, words in (
        ("tcp://10.0.0.1:8786", UsageError, "is not encrypted"),
        ("10.0.0.1:8786", UsageError, "is not encrypted"),
        ("tls://10.0.0.1:8786", UsageError, "needs certificates"),
        ("tcp://127.0.0.1:9", UnrollError, "no scheduler of Dask answers at"),
    ):
        monkeypatch.setenv(train.SCHEDULER, address)
        monkeypatch.setattr(cluster, "PATIENCE", 1)
        with pytest.raises(error, match=words):
            train.train(workspace, "waves")
