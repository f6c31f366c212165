"""Stages on the workers of a Dask cluster, in place of this machine (`scheduler.Executor`).

What a stage needs goes along by value, and so does the code; what it made comes back through DVC's remote. So nothing
that has ended is lost with a worker, and the head has no other state than its workspace.
"""

import io
import json
import os
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from pipeline import failures
from pipeline.errors import UnrollError
from pipeline.files import write_json, write_text
from pipeline.provenance import environment
from pipeline.tracking import queries, store
from pipeline.workspace import Workspace
from stages.repro import connection, locked, worker
from stages.repro.by_seed import is_part, seed, whole
from stages.repro.carrier import Carrier
from stages.repro.connection import Address
from stages.repro.dvc_graph import Dvc
from stages.repro.scheduler import Executor, Running

if TYPE_CHECKING:
    from distributed import Client, Future

HERE = ("source@", "file@")
"""Stages that the head runs: they fetch from the web, which workers may not reach, or take a file of its disk."""

CODE = ("pipeline", "stages", "dvc.yaml", "params.yaml", "claims.yaml", "numerics.lock", ".dvcignore", ".dvc/config")
"""What a worker needs of a workspace."""

EVERY = 1.0
"""Seconds between two looks at the workers."""

DEATHS = "{} workers died while they built it, so it may be what kills them, such as by its memory"


class Cluster:
    """A cluster, while a build uses it (`opened`).

    Args:
        workspace: the head's.
        dvc: the same, as DVC sees it.
        local: runs what the head runs itself.
        address: of the cluster.
        client: connected to it.
    """

    def __init__(self, workspace: Workspace, dvc: Dvc, local: Executor, address: Address, client: "Client") -> None:
        self._workspace, self._dvc, self._local, self._address, self._client = workspace, dvc, local, address, client
        self._carrier = Carrier(dvc)
        self._environment = locked.environment()
        self._slot = locked.label(self._environment)
        self._code = pack(workspace.root)
        here = environment.here(workspace)
        self._revision = {"commit": here.commit, "dirty": here.dirty}
        self._name = _name(workspace)
        self._slots, self._looked = -1, 0.0
        self._workers: set[str] = set()
        self._refused: set[str] = set()
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
        Carrier(dvc).require_remote()
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
        """See `scheduler.Executor`."""
        if self._client.status != "running":
            raise UnrollError(
                f"the scheduler at {self._address.scheduler} is gone; start it and its workers, then run this again: "
                "what was finished is kept"
            )
        if time.monotonic() - self._looked >= EVERY:
            try:
                # Not `scheduler_info`: Dask asks for that itself now and then, without workers, and may get in between.
                ask, patience = self._client.scheduler.identity, connection.PATIENCE
                workers = self._client.sync(ask, n_workers=-1, callback_timeout=patience)["workers"]
            except (OSError, TimeoutError):  # the next look says that it is gone
                return max(self._slots, 0)
            self._see({str(one["name"]): one["resources"] for one in workers.values()})
            self._looked = time.monotonic()
        return self._slots

    def start(self, stage: str, command: str) -> Running:
        """See `scheduler.Executor`."""
        self._ran.pop(stage, None)
        self._sent.pop(stage, None)
        if stage.startswith(HERE):
            return self._local.start(stage, command)
        needs = self._dvc.graph.needs[whole(stage)]
        for need in needs:
            if need not in self._sent:  # made here, now or in an earlier build
                self._sent[need] = self._carrier.send(need)
        parts = {part.name: self._carrier.send_part(part) for part in self._parts(stage)}
        task = stage, {need: self._sent[need] for need in needs} | parts
        resources = {self._slot: 1.0}
        if self._address.label and stage.startswith("train@"):
            resources[self._address.label] = 1.0
        key = f"{stage}-{uuid4().hex}"
        future = self._client.submit(worker.build, self._code, self._name, task, key=key, resources=resources)
        return Remote(self, stage, future)

    def where(self, stage: str) -> str:
        """See `scheduler.Executor`."""
        return f" on {self._ran[stage]}" if stage in self._ran else " on the head"

    def land(self, stage: str, answer: tuple[Any, str, bytes, str]) -> int:
        """Take what a worker has answered; the stage's exit status."""
        made, why, said, self._ran[stage] = answer
        log = self._workspace.log(stage)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(said)
        if made is None:
            if not is_part(stage):
                failures.record(self._workspace, stage, why)
            return 1
        self._carrier.take(stage, made)
        if is_part(stage):
            return 0
        for part in self._parts(stage):
            part.unlink()
        self._sent[stage] = made
        for name in made.files:
            if name.startswith("records/"):  # the worker has the code without its history
                record = json.loads((self._workspace.root / name).read_text(encoding="utf-8"))
                write_json(self._workspace.root / name, record | self._revision)
        return 0

    def _parts(self, stage: str) -> list[Path]:
        """Of a training the parts that are here, now or from an earlier build; of a part what there is of it."""
        verb, _, name = whole(stage).partition("@")
        parts = self._workspace.parts(name) if verb == "train" else []
        return [part for part in parts if not is_part(stage) or part == self._workspace.part(name, seed(stage))]

    def _see(self, workers: dict[str, dict[str, float]]) -> None:
        """Count slots; say which workers came, went or must not build, and end the records of those that went."""
        fit = {name: found for name, found in workers.items() if self._slot in found}
        for name in workers.keys() - fit.keys() - self._refused:
            self._refused.add(name)
            _say(f"worker {name} is not used: {_difference(self._environment, workers[name])}")
        for name in self._workers - fit.keys():
            _say(f"worker {name} is gone; what it built is built elsewhere")
            self._end(name)
        for name in fit.keys() - self._workers:
            _say(f"worker {name} is there, {fit[name][self._slot]:.0f} slots")
        self._workers = set(fit)
        slots = int(sum(found[self._slot] for found in fit.values()))
        if slots == 0 != self._slots:
            _say(f"no worker is there; waiting for `unroll cluster worker {self._address.scheduler}`")
        if self._address.label and self._slots < 0 < slots and not any(self._address.label in r for r in fit.values()):
            _say(f"no worker has the label {self._address.label}, so trainings wait")
        self._slots = slots

    def _end(self, name: str) -> None:
        """End MLflow's runs of a worker that died: only the head knows that it is dead."""
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            return
        try:
            opened = store.connect(self._workspace)
            with store.guard(opened.uri):
                queries.end_worker(opened, f"{self._name}/{name}")
        except UnrollError as error:
            _say(f"MLflow may show trainings as running that are not: {error}")


class Remote:
    """A stage on a worker (`scheduler.Running`)."""

    def __init__(self, cluster: Cluster, stage: str, future: "Future") -> None:
        self._cluster, self._stage, self._future = cluster, stage, future
        self._status: int | None = None

    def poll(self) -> int | None:
        """See `scheduler.Running`."""
        if self._status is None and self._future.status == "finished":
            self._status = 1
            self._status = self._cluster.land(self._stage, self._future.result())
            self._future.release()
        elif self._status is None and self._future.status == "error":
            self._status = 1
            raise UnrollError(_why(self._future.exception()))
        return self._status

    def interrupt(self) -> None:
        """See `scheduler.Running`."""
        self._future.cancel()
        self._status = self._status or 130

    kill = interrupt


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


def _name(workspace: Workspace) -> str:
    """A name for the builds of this workspace, the same after a kill."""
    file = workspace.scratch / "cluster.json"
    if not file.exists():
        write_text(file, json.dumps(uuid4().hex[:12]))
    return str(json.loads(file.read_text(encoding="utf-8")))


def _nobody(address: str, error: Exception) -> str:
    said = next(iter(str(error).splitlines()), type(error).__name__)
    return f"no scheduler answers at {address} ({said}); start one with `unroll cluster scheduler`"


def _why(error: BaseException | None) -> str:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return DEATHS.format(error.allowed_failures + 1)
    return f"the cluster could not build it: {type(error).__name__}: {error}"


def _difference(wanted: dict[str, str], resources: dict[str, float]) -> str:
    """What of its environment is not this one's."""
    slots = [name.removeprefix("slot: ").split(", ") for name in resources if name.startswith("slot: ")]
    if not slots:
        return "it was not started by `unroll cluster worker`"
    own = [f"{name} {has}" for name, has in wanted.items()]
    theirs, ours = (", ".join(sorted(found)) for found in (set(slots[0]) - set(own), set(own) - set(slots[0])))
    return f"it has {theirs}; here is {ours}"


def _say(text: str) -> None:
    clear = "\r\x1b[2K" if sys.stdout.isatty() else ""
    print(f"{clear}{text}", flush=True)
