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
from collections.abc import Collection, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from pipeline import failures
from pipeline.errors import UnrollError
from pipeline.files import write_json
from pipeline.provenance import record
from pipeline.provenance.machine import PACKAGES
from pipeline.tracking import runs
from pipeline.workspace import Workspace
from unroll.cluster import connection
from unroll.cluster.carrier import Carrier, StageOutputs
from unroll.cluster.worker import Answer, build
from unroll.runner.display import say
from unroll.runner.dvc_graph import Dvc
from unroll.runner.scheduler import Executor, Running

if TYPE_CHECKING:
    from distributed import Client

HERE = ("source@", "file@")
"""Stages that the head runs: they fetch from the web, which workers may not reach, or take a file of its disk."""

CODE = (
    *(*PACKAGES, "dvc.yaml", "params.yaml", "claims.yaml", "docs/results.md"),
    *(".ci/locks/numerics.lock", ".dvcignore", ".dvc/config"),
)
"""What a worker needs of a workspace."""

EVERY = 1.0
"""Seconds between two looks at the workers."""

TRIES = 3
"""Workers that a stage is tried on, where it may be them that fail, and failures in a row that set a worker aside."""


@contextmanager
def opened(
    workspace: Workspace, dvc: Dvc, local: Executor, *, address: str, certificates: Path | None = None, label: str = ""
) -> Iterator["DaskExecutor"]:
    """Connect to the cluster of the scheduler at `address`; a partial of it is a `build.OpenExecutor`.

    `local` runs what the head runs itself. With a `label`, trainings go to workers that have it alone.

    Raises:
        UsageError: as `connection.security`.
        UnrollError: the extra is not installed, nobody answers, or DVC has no remote.
    """
    connection.require()
    from distributed import Client

    security = connection.security(address, certificates)
    if not dvc.repo.config["core"].get("remote"):
        raise UnrollError(
            "a build on a cluster needs a DVC remote that head and workers reach, such as S3 or a shared folder; "
            "name it: dvc remote add --default store s3://BUCKET/PATH"
        )
    try:
        client = Client(address, security=security, timeout=connection.PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        why += f": {getattr(error.__cause__, 'verify_message', 'is it a clock, or the certificate?')}"
        raise UnrollError(
            f"no scheduler answers at {address} ({why}); start one with `unroll cluster scheduler`"
        ) from None
    try:
        executor = DaskExecutor(workspace, dvc, local, client, address, label)
        executor.end_runs("%")  # of a head that was killed
        try:
            yield executor
        finally:
            executor.end_runs("%")
    finally:
        client.close(timeout=2)


@dataclass
class WorkerState:
    """What the head knows of a worker whose environment is its own."""

    address: str
    slots: int
    trains: bool
    failures: int = 0  # in a row
    aside: bool = False  # gets no stage
    broken: bool = False  # cannot work at all; else one that is aside is better than none


class DaskExecutor:
    """A cluster, while a build uses it (`opened`); `local` runs what the head runs itself."""

    def __init__(
        self, workspace: Workspace, dvc: Dvc, local: Executor, client: "Client", address: str, label: str = ""
    ) -> None:
        self._workspace, self._dvc, self._local, self._client = workspace, dvc, local, client
        self._address, self._label = address, label
        self._carrier = Carrier(dvc)
        self._environment = connection.environment()
        self._slot = connection.slot_label(self._environment)
        self._code = pack(workspace.root)
        here = record.environment(workspace)
        self._revision = {"commit": here.commit, "dirty": here.dirty}
        # Of this workspace's builds: the same after a kill, another one where the workspace was copied to.
        self._name = hashlib.sha256(f"{platform.node()} {workspace.root}".encode(errors="replace")).hexdigest()[:12]
        self._slots, self._looked, self._away = -1, 0.0, False
        self._workers: dict[str, WorkerState] = {}
        self._refused: set[str] = set()
        self._ran: dict[str, str] = {}  # stage -> worker
        self._outputs: dict[str, StageOutputs] = {}  # of each stage that workers can take

    def slots(self) -> int:
        status = self._client.status
        if (status != "running") != self._away:
            self._away, self._looked = not self._away, 0.0
            say(f"the scheduler at {self._address} is {'away; waiting for it' if self._away else 'back'}")
        if self._away:
            if status != "connecting":
                raise UnrollError(
                    f"the scheduler at {self._address} is gone; start it (workers wait for a minute), then run this "
                    "again: what was finished is kept"
                )
            return 0
        if time.monotonic() - self._looked >= EVERY:
            try:
                # Not `scheduler_info`: Dask asks for that itself now and then, without workers, and may get in between.
                ask, patience = self._client.scheduler.identity, connection.PATIENCE
                workers = self._client.sync(ask, n_workers=-1, callback_timeout=patience)["workers"]
            except (OSError, TimeoutError):  # the next look says that it is away
                return max(self._slots, 0)
            self.update({str(info["name"]): (address, info["resources"]) for address, info in workers.items()})
            self._looked = time.monotonic()
        return self._slots

    def start(self, stage: str, command: str) -> Running:
        self._ran.pop(stage, None)
        self._outputs.pop(stage, None)
        if stage.startswith(HERE):
            return self._local.start(stage, command)
        needs = self._dvc.graph.needs[stage]
        for need in needs:
            if need not in self._outputs:  # made here, now or in an earlier build
                self._outputs[need] = self._carrier.send(need)
        return RemoteStage(self, stage, (stage, {need: self._outputs[need] for need in needs}))

    def where(self, stage: str) -> str:
        return f" on {self._ran[stage]}" if stage in self._ran else " on the head"

    def submit(self, stage: str, task: Any, tried: Collection[str]) -> tuple[Any, set[str]]:
        """Hand a task out; the future, and the addresses of the workers that it may go to, empty: all.

        It goes to none of those on which it was tried. None in place of the future: no worker can work.
        """
        usable = self._usable(stage)
        if not usable:
            return None, set()
        resources = {self._slot: 1.0}
        if self._label and stage.startswith("train@"):
            resources[self._label] = 1.0
        addresses = set()  # Dask itself knows best who is there, and how many workers a stage has killed
        if tried or any(worker.aside for worker in self._workers.values()):
            addresses = {self._workers[name].address for name in usable - {*tried} or usable}
        key = f"{stage}-{uuid4().hex}"
        arguments = self._code, self._name, pickle.dumps(task)
        future = self._client.submit(build, *arguments, key=key, resources=resources, workers=[*addresses] or None)
        return future, addresses

    @property
    def connected(self) -> bool:
        """Whether the scheduler is there: `slots` says what becomes of the build if it is not."""
        return bool(self._client.status == "running")

    def gone(self, addresses: Collection[str]) -> bool:
        """Whether none of these workers is there any more."""
        return bool(addresses) and {worker.address for worker in self._workers.values()}.isdisjoint(addresses)

    def failed_on(self, stage: str, name: str, tried: Collection[str], why: str, log: bytes, *, lacks: str) -> bool:
        """Note that a worker failed, for what it `lacks` or by its own fault perhaps; whether to try another one."""
        failed, others = self._workers.get(name), self._usable(stage) - {name}
        if failed:
            failed.failures += 1
            if not failed.broken and (lacks or (failed.failures >= TRIES and others)):
                failed.aside, failed.broken = True, bool(lacks)
                file, host = self._write_log(f"worker {name}", log), urlsplit(failed.address).hostname
                why = lacks or f"{TRIES} stages in a row failed on it, the last: {why}"
                say(f"worker {name} ({host}) is set aside, its stages run elsewhere: {why}; its log: {file}")
        return bool(lacks) or (len(tried) < TRIES and bool(others - {*tried}))

    def _usable(self, stage: str) -> set[str]:
        """The workers that a stage may go to."""
        training = stage.startswith("train@")
        return {name for name, worker in self._workers.items() if not worker.aside and (worker.trains or not training)}

    def land(self, stage: str, answer: Answer, name: str) -> int:
        """Take what a worker has answered; the stage's exit status."""
        packed, why, log, _ = answer
        self._ran[stage] = name
        self._write_log(stage, log)
        if packed is None:
            failures.record(self._workspace, stage, why)
            return 1
        if name in self._workers:
            self._workers[name].failures = 0
        outputs: StageOutputs = pickle.loads(packed)
        self._carrier.take(stage, outputs)
        self._outputs[stage] = outputs
        for file in outputs.files:
            if file.startswith("records/"):  # the worker has the code without its history
                written = json.loads((self._workspace.root / file).read_text(encoding="utf-8"))
                write_json(self._workspace.root / file, written | self._revision)
        return 0

    def _write_log(self, name: str, content: bytes) -> Path:
        """Where it is in the workspace."""
        log = self._workspace.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(content)
        return log.relative_to(self._workspace.root)

    def update(self, workers: dict[str, tuple[str, dict[str, float]]]) -> None:
        """Take note of the workers that are there: name -> address, resources.

        Says which came, went or must not build, and ends the records of those that went.
        """
        fit = {name: seen for name, seen in workers.items() if self._slot in seen[1]}
        for name in workers.keys() - fit.keys() - self._refused:
            self._refused.add(name)
            say(f"worker {name} is not used: {_difference(self._environment, workers[name][1])}")
        for name, worker in list(self._workers.items()):
            if name not in fit or fit[name][0] != worker.address:
                say(f"worker {name} is gone; what it built is built elsewhere")
                del self._workers[name]
                self.end_runs(name)
        for name in fit.keys() - self._workers.keys():
            address, resources = fit[name]
            trains = not self._label or self._label in resources
            self._workers[name] = WorkerState(address, int(resources[self._slot]), trains)
            say(f"worker {name} is there, {self._workers[name].slots} slots")
        if all(worker.aside for worker in self._workers.values() if worker.trains):  # better a bad worker than none
            for worker in self._workers.values():
                worker.aside = worker.broken
        slots = sum(worker.slots for worker in self._workers.values() if not worker.aside)
        if slots == 0 and self._slots != 0:
            there = "that is there can work" if fit else "is there"
            say(f"no worker {there}; waiting for `unroll cluster worker {self._address}`")
        if slots > 0 and self._slots < 0 and not any(worker.trains for worker in self._workers.values()):
            say(f"no worker has the label {self._label}, so trainings wait")
        self._slots = slots

    def end_runs(self, name: str) -> None:
        """End MLflow's runs of a worker that died (%: of all): only the head knows that it is dead."""
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            return
        try:
            runs.end_worker(self._workspace, f"{self._name}/{name}")
        except UnrollError as error:
            say(f"MLflow may show trainings as running that are not: {error}")


class RemoteStage:
    """A stage on a worker (`scheduler.Running`); `task` is for `unroll.cluster.slot`."""

    def __init__(self, executor: DaskExecutor, stage: str, task: Any) -> None:
        self._executor, self._stage, self._task = executor, stage, task
        self._tried: list[str] = []
        self._status: int | None = None
        self._future, self._addresses = executor.submit(stage, task, self._tried)

    def poll(self) -> int | None:
        if self._status is not None:
            return self._status
        match self._future and self._future.status:
            case "finished":
                self._finished()
            case "error":
                self._status = 1
                raise UnrollError(_why(self._future.exception()))
            case _ if not self._executor.connected:
                pass
            case None:
                self._submit()
            case "cancelled" | "lost":
                self._submit("was lost with the scheduler")
            case _ if self._executor.gone(self._addresses):
                self._future.cancel()
                self._submit("waits for a worker that is gone")
        return self._status

    def _finished(self) -> None:
        try:
            answer, name, lacks = self._future.result(timeout=connection.PATIENCE)
        except (CancelledError, TimeoutError):  # scheduler or worker went just now
            return
        self._future.release()
        outputs, why, log, elsewhere = answer
        if lacks or (outputs is None and elsewhere):
            self._tried += [] if lacks else [name]
            if self._executor.failed_on(self._stage, name, self._tried, why, log, lacks=lacks):
                self._submit(f"failed on {name}: {lacks or why}")
                return
        self._status = 1
        self._status = self._executor.land(self._stage, answer, name)

    def _submit(self, why: str = "") -> None:
        if why:
            say(f"{self._stage} {why}; it is tried again")
        self._future, self._addresses = self._executor.submit(self._stage, self._task, self._tried)

    def send_signal(self, _number: int) -> None:
        if self._executor.connected and self._future:
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


def _why(error: BaseException | None) -> str:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        died = error.allowed_failures + 1
        return f"{died} workers died while they built it, so it may be what kills them, such as by its memory"
    return f"the cluster could not build it: {type(error).__name__}: {error}"


def _difference(ours: dict[str, str], resources: dict[str, float]) -> str:
    """What of a worker's environment is not ours."""
    slot = next((name for name in resources if name.startswith("slot: ")), None)
    if slot is None:
        return "it was not started by `unroll cluster worker`"
    own = {f"{name} {has}" for name, has in ours.items()}
    theirs = {*slot.removeprefix("slot: ").split(", ")}
    return f"it has {', '.join(sorted(theirs - own))}; here is {', '.join(sorted(own - theirs))}"
