"""`unroll repro --on`: a scheduler and workers as processes of their own, with homes of their own, on this machine."""

import asyncio
import shutil
import signal
import ssl
import sys
import sysconfig
import time
import venv
from importlib.util import find_spec
from types import SimpleNamespace

import psutil
import pytest
from dvc.data_cloud import DataCloud
from zc.lockfile import LockFile

from pipeline.errors import UnrollError, UsageError
from tests.conftest import Miniature
from tests.support import REPOSITORY, still_there
from tests.support.cluster import ClusterProcesses, set_remote
from unroll.cluster import carrier, connection, worker
from unroll.cluster.carrier import Carrier
from unroll.cluster.head import DaskExecutor, RemoteStage
from unroll.runner import dvc_graph
from unroll.workspaces import make

pytest.importorskip("distributed", reason="the extra for clusters is not installed: .ci/venv cluster")

TRAIN = "unroll train ${key}"


@pytest.fixture
def head(tmp_path):
    """One data set, one training, which waits for a file `go`; and a folder that all machines reach as remote."""
    make.miniature(tmp_path / "head")
    miniature = Miniature(tmp_path / "head")
    set_remote(tmp_path / "head", tmp_path / "store")
    name = "$(basename $(dirname $PWD))"
    waiting = f"touch {tmp_path}/trains-{name}; until test -e {tmp_path}/go; do sleep 0.05; done; "
    graph = (tmp_path / "head" / "dvc.yaml").read_text()
    assert TRAIN in graph
    (tmp_path / "head" / "dvc.yaml").write_text(graph.replace(TRAIN, waiting + TRAIN))

    def only_waves(data):
        data["sources"] = {"waves": data["sources"]["waves"]}
        data["datasets"] = {"waves": data["datasets"]["waves"]}
        data["experiments"] = {"waves/linear": data["experiments"]["waves/linear"]}

    miniature.change(only_waves)
    return miniature


@pytest.fixture
def cluster(tmp_path, head):
    processes = ClusterProcesses(tmp_path, head.root)
    yield processes
    processes.close()


def trains(folder):
    """The workers that have begun to train."""
    return {path.name.removeprefix("trains-") for path in folder.glob("trains-*")}


def trains_anew(cluster, worker, wake):
    """Wait until a worker that has lost the scheduler has joined again, and has begun to train again."""
    (cluster.folder / f"trains-{worker}").unlink()
    wake()
    cluster.until(lambda: worker in trains(cluster.folder), worker)


def test_a_build_that_loses_workers_scheduler_and_head_has_the_bytes_of_a_local_one(tmp_path, head, cluster):
    local = Miniature(tmp_path / "local")
    shutil.copytree(head.root, local.root, ignore=shutil.ignore_patterns("cache", "tmp"))
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
    cluster.wait_for("head", "no worker is there; waiting")
    assert f"worker {first} is gone" in cluster.log("head")
    trains_anew(cluster, second, lambda: cluster.processes[second].send_signal(signal.SIGCONT))

    cluster.processes["scheduler"].send_signal(signal.SIGSTOP)
    time.sleep(6)  # longer than a worker may be silent
    trains_anew(cluster, second, lambda: cluster.processes["scheduler"].send_signal(signal.SIGCONT))

    def restart():
        cluster.kill("scheduler")
        cluster.start("scheduler", "cluster", "scheduler", cluster.address)

    trains_anew(cluster, second, restart)
    for event in ("is away; waiting for it", "is back"):
        assert f"the scheduler at {cluster.address} {event}" in cluster.log("head")
    assert "train@waves was lost with the scheduler; it is tried again" in cluster.log("head")
    left = psutil.Process(cluster.processes[second].pid).children(recursive=True)
    cluster.kill("scheduler")
    assert cluster.build_ends(1).splitlines()[-1].startswith(f"unroll: the scheduler at {cluster.address} is gone")
    assert still_there(left) == []

    cluster.start("scheduler", "cluster", "scheduler", cluster.address)
    trains_anew(cluster, second, cluster.build)
    assert "Traceback" not in cluster.log("head") + cluster.log(second)
    cluster.processes["head"].kill()
    cluster.processes["head"].wait()
    (tmp_path / "go").touch()
    cluster.build()
    local.unroll("repro")
    log = cluster.build_ends()
    assert "prepare@waves" not in log, "its outputs were there"
    assert "train@waves" in log
    assert f"on {second}" in log
    assert (head.root / "dvc.lock").read_bytes() == (local.root / "dvc.lock").read_bytes()
    assert "up to date" in head.dvc("repro")
    for file in ("index.html", "metrics/waves/linear.json", "evaluations/waves/tables/predictions.csv"):
        assert (head.root / "results" / file).read_bytes() == (local.root / "results" / file).read_bytes()
    assert (head.root / "records" / "waves" / "waves/linear.json").exists()


def test_a_worker_that_cannot_work_is_set_aside_and_one_with_its_name_is_refused(tmp_path, head, cluster, monkeypatch):
    (tmp_path / "go").touch()
    venv.create(tmp_path / "venv", symlinks=True)
    (packages,) = (tmp_path / "venv" / "lib").glob("*/site-packages")
    (packages / "whole.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})")
    (packages / "numpy.py").write_text("raise ImportError('libblas.so is missing')")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(tmp_path / "venv" / "bin" / "python"))
        cluster.work("a")
    cluster.wait_for("a", "1 slots, for")
    cluster.build()
    cluster.wait_for("head", "no worker that is there can work; waiting for `unroll cluster worker")
    cluster.start("other", "cluster", "worker", cluster.address, "--name", "a", "--home", str(tmp_path / "other"))
    assert cluster.processes["other"].wait() == 2
    assert f"another worker of {cluster.address} is called a; name this one: --name" in cluster.log("other")
    cluster.work("b")
    log = cluster.build_ends()
    (line,) = [line for line in log.splitlines() if "set aside" in line]
    assert line.startswith("worker a (127.0.0.1) is set aside, its stages run elsewhere: it cannot import ")
    assert line.endswith("(ImportError: libblas.so is missing); its log: .unroll/logs/worker a.txt")
    assert "Traceback" in head.workspace.log("worker a").read_text()
    assert "prepare@waves failed on a: it cannot import" in log


def executor(head, workers, label="", **client):
    """The head's side, beside workers that are not there: name -> address, resources besides the slot."""
    slot = connection.slot_label(connection.environment())
    far = SimpleNamespace(status="running", **client)
    head_side = DaskExecutor(head.workspace, None, None, far, "tls://127.0.0.1:1", label)
    head_side.update({name: (address, {slot: 1.0} | more) for name, (address, more) in workers.items()})
    return head_side


def test_a_stage_that_fails_by_itself_fails_once_and_one_that_was_killed_is_tried_elsewhere(head):
    wrong, killed = (None, "a mistake in the code", b"", False), (None, "killed", b"", True)
    answers, sent = [(wrong, "a", ""), (killed, "a", ""), (killed, "b", "")], []

    def submit(*_, workers, **__):
        sent.append(workers)
        answer = answers.pop(0)
        return SimpleNamespace(status="finished", result=lambda **_: answer, release=lambda: None)

    two = executor(head, {"a": ("1.1.1.1:1", {}), "b": ("2.2.2.2:2", {})}, submit=submit)
    assert RemoteStage(two, "prepare@x", None).poll() == 1
    stage = RemoteStage(two, "prepare@x", None)
    assert [stage.poll(), stage.poll()] == [None, 1]
    assert sent == [None, None, ["2.2.2.2:2"]]


def test_a_training_is_not_tried_on_workers_without_its_label(head):
    def failed_on_a(stage):
        return cluster.failed_on(stage, "a", ["a"], "no room", b"", lacks="")

    cluster = executor(head, {"a": ("1", {"big": 1.0}), "b": ("2", {})}, label="big")
    assert [failed_on_a("train@x") for _ in range(4)] == [False] * 4
    assert failed_on_a("prepare@x")
    cluster = executor(head, {"a": ("1", {"big": 1.0}), "b": ("2", {"big": 1.0})}, label="big")
    assert failed_on_a("train@x")


def test_a_worker_with_another_environment_gets_no_slot_and_the_head_says_what_differs(head, capsys):
    ours = connection.environment()
    workers = {
        "1": {"name": "fit", "resources": {connection.slot_label(ours): 2.0}},
        "2": {"name": "old", "resources": {connection.slot_label(ours | {"numpy": "1.0"}): 4.0}},
        "3": {"name": "other", "resources": {}},
    }
    scheduler = SimpleNamespace(identity=lambda n_workers: {"workers": workers} if n_workers == -1 else None)
    sync = {"scheduler": scheduler, "sync": lambda ask, n_workers, **_: ask(n_workers)}
    assert executor(head, {}, **sync).slots() == 2
    printed = capsys.readouterr().out
    assert f"worker old is not used: it has numpy 1.0; here is numpy {ours['numpy']}" in printed
    assert "worker other is not used: it was not started by `unroll cluster worker`" in printed


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("", ""),
        ("raise ImportError('no libx.so')", "it cannot import odd (ImportError: no libx.so)"),
        ("import time; time.sleep(600)", "it cannot import odd (it has not ended after 5 s)"),
    ],
)
def test_a_probe_imports_what_stages_import_and_asks_for_room(tmp_path, monkeypatch, code, why):
    monkeypatch.setattr(worker, "LIMIT", 5)
    (tmp_path / "slot0" / "stages").mkdir(parents=True)
    (tmp_path / "slot0" / "stages" / "uses.py").write_text("def late():\n    import odd\n")
    (tmp_path / "slot0" / "odd.py").write_text(code)
    assert worker.probe(tmp_path / "slot0")[0] == why
    modules = {name.partition(".")[0] for name in worker.imported(REPOSITORY)}
    assert {"dvc", "keras", "numpy", "sklearn", "tensorflow"} < modules
    assert [name for name in modules if find_spec(name) is None] == [], "all workers would be set aside"
    away = (
        f"nothing can be written to {tmp_path / 'a'} (No such file or directory); a worker needs 32 MB there at least"
    )
    assert worker.probe(tmp_path / "a" / "slot0")[0].startswith(away)


def test_what_is_not_safe_is_refused_in_one_line(tmp_path, monkeypatch):
    for address in ("tcp://127.0.0.1:8786", "somewhere:8786"):
        with pytest.raises(UsageError, match=r"must be like tls://.*`unroll cluster certificates DIR`"):
            connection.security(address, tmp_path)
    with pytest.raises(UsageError, match="--certificates DIR is needed; `unroll cluster certificates DIR` makes"):
        connection.security("tls://127.0.0.1:8786", None)
    with pytest.raises(UsageError, match="is missing; `unroll cluster certificates"):
        connection.security("tls://10.0.0.1:8786", tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:secret@host/records")
    with pytest.raises(UsageError, match="is no server") as refused:
        worker.check_records()
    assert "secret" not in str(refused.value)


def test_scheduler_and_workers_answer_those_alone_who_show_the_certificate_of_the_cluster(tmp_path):
    from distributed import Scheduler, Worker, rpc

    for name in ("ours", "theirs"):
        connection.make_certificates(tmp_path / name)
    assert (tmp_path / "ours" / connection.KEY).stat().st_mode & 0o77 == 0
    ours, theirs = (connection.security("tls://127.0.0.1:1", tmp_path / name) for name in ("ours", "theirs"))
    nothing = ssl._create_unverified_context()  # noqa: S323 - it is what is refused
    options = {"security": ours, "host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}

    async def identity(address, **shown):
        async with rpc(address, connection_args=shown, timeout=2) as far:
            return (await far.identity())["type"]

    async def connect():
        connection.require()
        async with (
            Scheduler(protocol="tls", port=0, **options) as scheduler,
            Worker(scheduler.address, local_directory=str(tmp_path), **options) as joined,
        ):
            for address, kind in ((scheduler.address, "Scheduler"), (joined.address, "Worker")):
                assert await identity(address, **ours.get_connection_args("client")) == kind
                for shown in (theirs.get_connection_args("client"), {"ssl_context": nothing}):
                    with pytest.raises(OSError):
                        await identity(address, **shown)
                with pytest.raises((OSError, TypeError, RuntimeError)):
                    await identity(address.replace("tls:", "tcp:"))

    asyncio.run(connect())


def test_a_remote_that_is_away_is_waited_for_from_the_first_question_on_while_dvcs_lock_is_free(
    tmp_path, miniature, monkeypatch, capsys
):
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    store, name, transfer = tmp_path / "store", "prepare@waves", DataCloud.transfer
    set_remote(miniature.root, store)

    def transfer_unlocked(*arguments, **options):
        LockFile(miniature.root / ".dvc/tmp/lock").close()  # raises an error if the build holds DVC's lock
        return transfer(*arguments, **options)

    monkeypatch.setattr(DataCloud, "transfer", transfer_unlocked)
    with dvc_graph.opened(miniature.root) as dvc:
        outputs = Carrier(dvc).send(name)
    shutil.rmtree(miniature.root / ".dvc" / "cache")
    shutil.rmtree(miniature.root / "data" / "prepared")
    store.rename(tmp_path / "away")
    pauses = []

    def pause(seconds):
        pauses.extend([seconds] * (seconds == carrier.PAUSE))  # others sleep, too
        if len(pauses) == carrier.TRIES:
            (tmp_path / "away").rename(store)

    monkeypatch.setattr(carrier.time, "sleep", pause)
    with dvc_graph.opened(miniature.root) as dvc:
        for patient, so_many in ((False, 0), (True, carrier.TRIES - 1)):  # a head's first question, and a worker's
            with pytest.raises(UnrollError, match=rf"does not work \(.*No such file or directory: '{store}'\)"):
                Carrier(dvc, patient=patient).take(name, outputs)
            assert len(pauses) == so_many
        Carrier(dvc, patient=True).take(name, outputs)
    assert capsys.readouterr().out.endswith("DVC's remote is back\n")
    assert (miniature.root / "data" / "prepared" / "waves").is_dir()
