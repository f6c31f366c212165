"""Trainings on a cluster: a scheduler and workers as processes of their own, on this
machine."""

import asyncio
import contextlib
import shutil
import sqlite3
import ssl

import pytest

from pipeline.errors import UsageError
from tests.conftest import Miniature
from tests.support import REPOSITORY, content, still_there
from tests.support.cluster import HELD, ClusterProcesses
from unroll.cluster import connection
from unroll.workspaces import make

pytest.importorskip(
    "distributed", reason="the extra for clusters is not installed: .ci/venv cluster"
)


@pytest.fixture
def head(tmp_path):
    """A prepared data set, a network, a linear model, and an experiment that waits for
    a file `go`."""
    make.miniature(tmp_path / "head")
    miniature = Miniature(tmp_path / "head")

    def only_waves(data):
        data.update(make.without(data, ("sine", "jena", "imdb")))
        network = {"family": "recurrent", "name": "simple_rnn", "units": 2}
        held = {"family": "held", "name": "held", "folder": str(tmp_path)}
        data["experiments"]["waves"] = {
            "linear": data["experiments"]["waves"]["linear"],
            "rnn": {"like": "compiled", "model": network},
            "held": {"model": held, "training": {"method": "none"}},
        }

    miniature.change(only_waves)
    own = miniature.root / "unroll_extensions" / "models"
    own.mkdir(parents=True)
    (own / "held.py").write_text(HELD)
    miniature.unroll("source", "waves")
    miniature.unroll("prepare", "waves")
    return miniature


@pytest.fixture
def cluster(tmp_path, head):
    processes = ClusterProcesses(tmp_path, head.root)
    yield processes
    processes.close()


def test_a_training_that_loses_workers_scheduler_and_head_has_the_bytes_of_a_local_one(
    tmp_path, head, cluster
):
    local = Miniature(tmp_path / "local")
    shutil.copytree(head.root, local.root)
    cluster.train()
    cluster.wait_for(
        "head",
        f"no worker is there; waiting for `unroll cluster worker {cluster.address}`",
    )
    cluster.work("a")
    cluster.wait_for("head", "worker a is there, 1 slots")
    cluster.wait_for_training("a")
    left = cluster.kill("a")
    cluster.work("b")
    cluster.wait_for("head", "worker a is gone; its trainings run elsewhere")
    cluster.wait_for_training("b")
    assert still_there(left) == []

    cluster.kill("scheduler")
    assert cluster.ends(status=1).splitlines()[-1] == (
        f"unroll: the scheduler at {cluster.address} is gone; start it (workers wait for a minute), "
        "then run this again: what was finished is kept"
    )
    cluster.schedule()
    cluster.train()
    cluster.wait_for_training("b")
    cluster.kill("head")
    cluster.train(records="")
    cluster.wait_for_training("b")
    (tmp_path / "go").touch()
    log = cluster.ends()
    assert "waves: 2 runs to train, 1 are in the store" in log
    assert "Traceback" not in log + cluster.log("b") + cluster.log("scheduler")
    local.unroll("train", "waves")
    assert content(head.root / "runs") == content(local.root / "runs")
    assert (head.root / "records" / "waves" / "rnn.json").exists()
    assert "not recorded" not in log
    with contextlib.closing(sqlite3.connect(head.root / "mlflow.db")) as database:
        runs = database.execute("SELECT name, status FROM runs").fetchall()
    names = ["held", "held seed 0", "linear", "linear seed 0"]
    assert sorted(runs) == [(name, "FINISHED") for name in names]


def test_workers_that_are_not_like_the_head_are_refused_by_one_line(tmp_path, cluster):
    (tmp_path / "go").touch()
    other = tmp_path / "other"
    for name in ("pipeline", "series", "stages", "unroll", ".ci"):
        shutil.copytree(REPOSITORY / name, other / name)
    with (other / "stages" / "train.py").open("a") as code:
        code.write("\n# edited\n")
    cluster.work("old", code=other)
    cluster.wait_for("old", "worker old: 1 slots")
    cluster.train()
    (line,) = cluster.ends(status=1).splitlines()[1:]
    ours = connection.environment()["unroll"]
    assert line.startswith(
        "unroll: no worker can train this: worker old is not used: it has unroll 0."
    )
    assert line.endswith(f"; here is unroll {ours}")
    cluster.start("twin", "cluster", "worker", cluster.address, "--name", "old")
    assert (
        f"another worker of {cluster.address} is called old; name this one: --name"
        in cluster.ends("twin", 2)
    )


def test_a_difference_of_packages_is_named():
    ours = connection.environment()
    theirs = [connection.slot(ours | {"numpy": "1.0"})]
    assert (
        connection.difference(theirs, ours)
        == f"it has numpy 1.0; here is numpy {ours['numpy']}"
    )
    assert (
        connection.difference([], ours)
        == "it was not started by `unroll cluster worker`"
    )


def test_what_is_not_safe_is_refused_in_one_line(tmp_path):
    for address in ("tcp://127.0.0.1:8786", "somewhere:8786"):
        with pytest.raises(
            UsageError, match=r"must be like tls://.*`unroll cluster certificates DIR`"
        ):
            connection.security(address, tmp_path)
    with pytest.raises(
        UsageError,
        match="--certificates DIR is needed; `unroll cluster certificates DIR` makes",
    ):
        connection.security("tls://127.0.0.1:8786", None)
    with pytest.raises(UsageError, match="is missing; `unroll cluster certificates"):
        connection.security("tls://10.0.0.1:8786", tmp_path)


def test_scheduler_and_workers_answer_those_alone_who_show_the_certificate_of_the_cluster(
    tmp_path,
):
    from distributed import Scheduler, Worker, rpc

    for name in ("ours", "theirs"):
        connection.make_certificates(tmp_path / name)
    assert (tmp_path / "ours" / connection.KEY).stat().st_mode & 0o77 == 0
    ours, theirs = (
        connection.security("tls://127.0.0.1:1", tmp_path / name)
        for name in ("ours", "theirs")
    )
    nothing = ssl._create_unverified_context()  # noqa: S323 - it is what is refused
    options = {
        "security": ours,
        "host": "127.0.0.1",
        "dashboard": False,
        "dashboard_address": "127.0.0.1:0",
    }

    async def identity(address, **shown):
        async with rpc(address, connection_args=shown, timeout=2) as far:
            return (await far.identity())["type"]

    async def connect():
        connection.require()
        async with (
            Scheduler(protocol="tls", port=0, **options) as scheduler,
            Worker(
                scheduler.address, local_directory=str(tmp_path), **options
            ) as joined,
        ):
            for address, kind in (
                (scheduler.address, "Scheduler"),
                (joined.address, "Worker"),
            ):
                assert (
                    await identity(address, **ours.get_connection_args("client"))
                    == kind
                )
                for shown in (
                    theirs.get_connection_args("client"),
                    {"ssl_context": nothing},
                ):
                    with pytest.raises(OSError):
                        await identity(address, **shown)
                with pytest.raises((OSError, TypeError, RuntimeError)):
                    await identity(address.replace("tls:", "tcp:"))

    asyncio.run(connect())
