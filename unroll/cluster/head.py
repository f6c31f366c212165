"""Stages on the workers of a Dask cluster, in place of this machine (`scheduler.Executor`).

What a stage needs goes along by value, and so does the code; what it made comes back through DVC's remote. So nothing
that has ended is lost with a worker, and the head has no other state than its workspace.
"""

import hashlib
import io
import json
import os
import pickle
import platform
import tarfile
import time
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

from pipeline import failures
from pipeline.errors import UnrollError
from pipeline.files import write_json
from pipeline.provenance import record
from pipeline.provenance.machine import PACKAGES
from pipeline.tracking import runs
from pipeline.workspace import Workspace
from unroll.cluster import connection, worker
from unroll.cluster import environment as locked
from unroll.cluster.carrier import Carrier, Made
from unroll.cluster.connection import Address
from unroll.runner.build import On
from unroll.runner.display import say
from unroll.runner.dvc_graph import Dvc
from unroll.runner.scheduler import Executor, Running

if TYPE_CHECKING:
    from distributed import Client, Future

HERE = ("source@", "file@")
"""Stages that the head runs: they fetch from the web, which workers may not reach, or take a file of its disk."""

CODE = (*PACKAGES, "dvc.yaml", "params.yaml", "claims.yaml", ".ci/locks/numerics.lock", ".dvcignore", ".dvc/config")
"""What a worker needs of a workspace."""

EVERY = 1.0
"""Seconds between two looks at the workers."""

TRIES = 3
"""Workers that a stage is tried on, where it may be them that fail, and failures in a row that set a worker aside."""


class Cluster:
    """A cluster, while a build uses it (`opened`); `local` runs what the head runs itself (`scheduler.Executor`)."""

    def __init__(self, workspace: Workspace, dvc: Dvc, local: Executor, address: Address, client: "Client") -> None:
        self._workspace, self._dvc, self._local, self._address, self._client = workspace, dvc, local, address, client
        self._carrier = Carrier(dvc)
        self._environment = locked.environment()
        self._slot = locked.label(self._environment)
        self._code = pack(workspace.root)
        here = record.environment(workspace)
        self._revision = {"commit": here.commit, "dirty": here.dirty}
        # Of this workspace's builds: the same after a kill, another one where the workspace was copied to.
        self._name = hashlib.sha256(f"{platform.node()} {workspace.root}".encode(errors="replace")).hexdigest()[:12]
        self._slots, self._looked, self._away = -1, 0.0, False
        self._fit: dict[str, str] = {}  # name -> address
        self._trainers: set[str] = set()  # those of them that trainings may go to
        self._refused: set[str] = set()
        self._failures: Counter[str] = Counter()  # in a row
        self._aside: dict[str, bool] = {}  # name -> whether it cannot work; else it is better than none
        self._ran: dict[str, str] = {}
        self._sent: dict[str, Any] = {}

    @classmethod
    @contextmanager
    def opened(cls, workspace: Workspace, dvc: Dvc, local: Executor, address: Address) -> Iterator[Self]:
        """Connect to a cluster.

        Raises:
            UnrollError: the extra is not installed, nobody answers, or DVC has no remote.
        """
        connection.require()
        from distributed import Client

        security = connection.security(address.scheduler, address.certificates)
        if not dvc.repo.config["core"].get("remote"):
            raise UnrollError(
                "a build on a cluster needs a DVC remote that head and workers reach, such as S3 or a shared folder; "
                "name it: dvc remote add --default store s3://BUCKET/PATH"
            )
        try:
            client = Client(address.scheduler, security=security, timeout=connection.PATIENCE, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise UnrollError(_nobody(address.scheduler, error)) from None
        try:
            cluster = cls(workspace, dvc, local, address, client)
            cluster._end("%")  # of a head that was killed
            try:
                yield cluster
            finally:
                cluster._end("%")
        finally:
            client.close(timeout=2)

    def slots(self) -> int:
        status, where = self._client.status, self._address.scheduler
        if (status != "running") != self._away:
            self._away, self._looked = not self._away, 0.0
            say(f"the scheduler at {where} is {'away; waiting for it' if self._away else 'back'}")
        if self._away:
            if status != "connecting":
                raise UnrollError(
                    f"the scheduler at {where} is gone; start it (workers wait for a minute), then run this again: "
                    "what was finished is kept"
                )
            return 0
        if time.monotonic() - self._looked >= EVERY:
            try:
                # Not `scheduler_info`: Dask asks for that itself now and then, without workers, and may get in between.
                ask, patience = self._client.scheduler.identity, connection.PATIENCE
                workers = self._client.sync(ask, n_workers=-1, callback_timeout=patience)["workers"]
            except (OSError, TimeoutError):  # the next look says that it is away
                return max(self._slots, 0)
            self._see({str(one["name"]): (address, one["resources"]) for address, one in workers.items()})
            self._looked = time.monotonic()
        return self._slots

    def start(self, stage: str, command: str) -> Running:
        self._ran.pop(stage, None)
        self._sent.pop(stage, None)
        if stage.startswith(HERE):
            return self._local.start(stage, command)
        needs = self._dvc.graph.needs[stage]
        for need in needs:
            if need not in self._sent:  # made here, now or in an earlier build
                self._sent[need] = self._carrier.send(need)
        return Remote(self, stage, (stage, {need: self._sent[need] for need in needs}))

    def submit(self, stage: str, task: Any, tried: Collection[str] = ()) -> "tuple[Future, set[str]]":
        """Hand a task out, to none of the workers on which it was tried; the addresses it may go to, empty: all.

        None in place of the first: no worker can work.
        """
        able = self._able(stage)
        if not able:
            return None, set()
        resources = {self._slot: 1.0}
        if self._address.label and stage.startswith("train@"):
            resources[self._address.label] = 1.0
        only = {self._fit[name] for name in able - {*tried} or able} if tried or self._aside else set()
        key = f"{stage}-{uuid4().hex}"
        arguments = self._code, self._name, pickle.dumps(task)
        future = self._client.submit(worker.build, *arguments, key=key, resources=resources, workers=[*only] or None)
        return future, only

    @property
    def connected(self) -> bool:
        """Whether the scheduler is there: `slots` says what becomes of the build if it is not."""
        return bool(self._client.status == "running")

    def gone(self, addresses: Collection[str]) -> bool:
        """Whether none of these workers is there any more."""
        return bool(addresses) and not {*self._fit.values()} & {*addresses}

    def failed_on(self, stage: str, name: str, tried: Collection[str], why: str, said: bytes, *, lacks: str) -> bool:
        """Note that a worker failed, for what it `lacks` or by its own fault perhaps; whether to try another one."""
        self._failures[name] += 1
        good = self._able(stage) - {name}
        bad = lacks or (self._failures[name] >= TRIES and good)
        if bad and name in self._fit and not self._aside.get(name):
            self._aside[name] = bool(lacks)
            log, host = self._keep(f"worker {name}", said), urlsplit(self._fit[name]).hostname
            why = lacks or f"{TRIES} stages in a row failed on it, the last: {why}"
            say(f"worker {name} ({host}) is set aside, its stages run elsewhere: {why}; its log: {log}")
        return bool(lacks) or (len(tried) < TRIES and bool(good - {*tried}))

    def _able(self, stage: str) -> set[str]:
        """The workers that a stage may go to."""
        return (self._trainers if stage.startswith("train@") else {*self._fit}) - self._aside.keys()

    def where(self, stage: str) -> str:
        return f" on {self._ran[stage]}" if stage in self._ran else " on the head"

    def land(self, stage: str, answer: worker.Answer, name: str) -> int:
        """Take what a worker has answered; the stage's exit status."""
        packed, why, said, _ = answer
        self._ran[stage] = name
        self._keep(stage, said)
        if packed is None:
            failures.record(self._workspace, stage, why)
            return 1
        self._failures[name] = 0
        made: Made = pickle.loads(packed)
        self._carrier.take(stage, made)
        self._sent[stage] = made
        for file in made.files:
            if file.startswith("records/"):  # the worker has the code without its history
                written = json.loads((self._workspace.root / file).read_text(encoding="utf-8"))
                write_json(self._workspace.root / file, written | self._revision)
        return 0

    def _keep(self, name: str, said: bytes) -> Path:
        """Write a log; its place in the workspace."""
        log = self._workspace.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(said)
        return log.relative_to(self._workspace.root)

    def _see(self, workers: dict[str, tuple[str, dict[str, float]]]) -> None:
        """Count slots; say which workers came, went or must not build, and end the records of those that went."""
        fit = {name: found for name, found in workers.items() if self._slot in found[1]}
        for name in workers.keys() - fit.keys() - self._refused:
            self._refused.add(name)
            say(f"worker {name} is not used: {_difference(self._environment, workers[name][1])}")
        gone = {name for name, address in self._fit.items() if name not in fit or fit[name][0] != address}
        for name in gone:
            say(f"worker {name} is gone; what it built is built elsewhere")
            self._aside.pop(name, None)
            self._failures[name] = 0
            self._end(name)
        for name in fit.keys() - (self._fit.keys() - gone):
            say(f"worker {name} is there, {fit[name][1][self._slot]:.0f} slots")
        self._fit = {name: address for name, (address, _) in fit.items()}
        label = self._address.label
        self._trainers = {name for name, (_, found) in fit.items() if not label or label in found}
        if not self._trainers - self._aside.keys():  # better a bad worker than none
            self._aside = {name: True for name, cannot_work in self._aside.items() if cannot_work}
        slots = int(sum(found[self._slot] for name, (_, found) in fit.items() if name not in self._aside))
        if slots == 0 != self._slots:
            there = "is there" if not fit else "that is there can work"
            say(f"no worker {there}; waiting for `unroll cluster worker {self._address.scheduler}`")
        if label and self._slots < 0 < slots and not self._trainers:
            say(f"no worker has the label {label}, so trainings wait")
        self._slots = slots

    def _end(self, name: str) -> None:
        """End MLflow's runs of a worker that died: only the head knows that it is dead."""
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            return
        try:
            runs.end_worker(self._workspace, f"{self._name}/{name}")
        except UnrollError as error:
            say(f"MLflow may show trainings as running that are not: {error}")


def on(address: Address) -> On:
    """What opens this cluster for a build."""
    return lambda workspace, dvc, local: Cluster.opened(workspace, dvc, local, address)


class Remote:
    """A stage on a worker (`scheduler.Running`); `task` is for `unroll.cluster.slot`."""

    def __init__(self, cluster: Cluster, stage: str, task: Any) -> None:
        self._cluster, self._stage, self._task = cluster, stage, task
        self._tried: list[str] = []
        self._status: int | None = None
        self._future, self._only = cluster.submit(stage, task, self._tried)

    def poll(self) -> int | None:
        if self._status is not None:
            return self._status
        match self._future and self._future.status:
            case "finished":
                self._finished()
            case "error":
                self._status = 1
                raise UnrollError(_why(self._future.exception()))
            case _ if not self._cluster.connected:
                pass
            case None:
                self._future, self._only = self._cluster.submit(self._stage, self._task, self._tried)
            case "cancelled" | "lost":
                self._again("was lost with the scheduler")
            case _ if self._cluster.gone(self._only):
                self._future.cancel()
                self._again("waits for a worker that is gone")
        return self._status

    def _finished(self) -> None:
        try:
            answer, name, lacks = self._future.result(timeout=connection.PATIENCE)
        except (CancelledError, TimeoutError):  # scheduler or worker went just now
            return
        self._future.release()
        made, why, said, elsewhere = answer
        if lacks or (made is None and elsewhere):
            self._tried += [] if lacks else [name]
            if self._cluster.failed_on(self._stage, name, self._tried, why, said, lacks=lacks):
                self._again(f"failed on {name}: {lacks or why}")
                return
        self._status = 1
        self._status = self._cluster.land(self._stage, answer, name)

    def _again(self, why: str) -> None:
        say(f"{self._stage} {why}; it is tried again")
        self._future, self._only = self._cluster.submit(self._stage, self._task, self._tried)

    def send_signal(self, _number: int) -> None:
        if self._cluster.connected and self._future:
            self._future.cancel()
        self._status = self._status or 130


def pack(root: Path) -> bytes:
    """The code and params of a workspace, links followed, as a tar file: the same bytes for the same files."""

    def bare(file: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if "__pycache__" in file.name:
            return None
        file.mtime, file.uid, file.gid, file.uname, file.gname = 0, 0, 0, "", ""
        return file

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz", dereference=True) as tar:
        for name in CODE:
            if (root / name).exists():
                tar.add(root / name, name, filter=bare)
    return packed.getvalue()


def _nobody(address: str, error: Exception) -> str:
    said = next(iter(str(error).splitlines()), type(error).__name__)
    said += f": {getattr(error.__cause__, 'verify_message', 'is it a clock, or the certificate?')}"
    return f"no scheduler answers at {address} ({said}); start one with `unroll cluster scheduler`"


def _why(error: BaseException | None) -> str:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        died = error.allowed_failures + 1
        return f"{died} workers died while they built it, so it may be what kills them, such as by its memory"
    return f"the cluster could not build it: {type(error).__name__}: {error}"


def _difference(wanted: dict[str, str], resources: dict[str, float]) -> str:
    """What of its environment is not this one's."""
    slots = [name.removeprefix("slot: ").split(", ") for name in resources if name.startswith("slot: ")]
    if not slots:
        return "it was not started by `unroll cluster worker`"
    own = [f"{name} {has}" for name, has in wanted.items()]
    theirs, ours = (", ".join(sorted(found)) for found in (set(slots[0]) - set(own), set(own) - set(slots[0])))
    return f"it has {theirs}; here is {ours}"
