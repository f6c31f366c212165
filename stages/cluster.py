"""Training on a Dask cluster: tasks go to its workers, and runs come back as bytes.

No folder is shared. A worker trains each task in a child process, as `stages.pool` does. In
the worker's own process the bytes would differ, because Dask imports NumPy before
`numeric_settings.set_environment` can choose its kernels.
"""

import contextlib
import ipaddress
import logging
import os
import platform
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distributed import Client, Future, Worker, WorkerPlugin, get_worker
from distributed.comm import CommClosedError
from distributed.security import Security

from pipeline.config.named_modules import EXTENSIONS
from pipeline.errors import UnrollError, UsageError, one_line
from pipeline.processes import GRACE, Children, Ended, Server, Submitted, Work
from pipeline.provenance import fingerprint, machine
from pipeline.training import tasks
from pipeline.training.tasks import Task
from pipeline.workspace import Workspace
from stages import progress
from stages.perform import perform

SLOT = "unroll"
"""The resource of a worker with the same environment: one for each of its threads."""

PAUSE = 0.2
"""Seconds between two looks at the tasks."""

PATIENCE = 20
"""Seconds to wait for the scheduler."""

Files = dict[str, bytes]
"""The files of a folder: path -> content."""


@dataclass(frozen=True)
class Trained:
    """What a worker sends back.

    Attributes:
        ended: the outcome.
        files: the finished run and its record (`tasks.finished`); empty after an error.
        log: what the training printed.
    """

    ended: Ended
    files: Files
    log: bytes


class SameEnvironment(WorkerPlugin):
    """A plugin of Dask's workers, also of those that join later.

    A worker whose environment differs gets no `SLOT`, and so no task.

    Args:
        expected: the environment of the machine that builds (`environment`).
        preload: the modules that a worker imports before tasks start.
    """

    name = SLOT

    def __init__(self, expected: Mapping[str, str], preload: Sequence[str]) -> None:
        self._expected = expected
        self._preload = preload
        self.server: Server | None = None

    async def setup(self, worker: Worker) -> None:
        """Compare the environments; if they are equal, get ready for tasks."""
        here = environment()
        differing = [
            f"{name} {self._expected.get(name)} there, {here.get(name)} on the worker"
            for name in {**self._expected, **here}
            if self._expected.get(name) != here.get(name)
        ]
        if differing:
            await worker.set_resources(**{SLOT: 0})
            worker.log_event(SLOT, f"no task for {worker.name}: {'; '.join(differing)}")
            return
        # The worker may have been started in an experiment of DVC.
        os.environ.pop("DVC_EXP_NAME", None)
        self.server = Server(self._preload)
        await worker.set_resources(**{SLOT: worker.state.nthreads})

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - Dask passes it
        """End the process that starts trainings."""
        if self.server:
            self.server.stop()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "server": None}


def environment() -> dict[str, str]:
    """Return the versions, the processor and the kept variables on which the bytes of a
    run depend.
    """
    processor = platform.machine()
    if machine.has_avx2():
        processor += " with AVX2 and FMA"
    return {
        "unroll": fingerprint.package(),
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "processor": processor,
        **machine.installed(machine.locked()),
        **machine.kept(),
    }


@contextlib.contextmanager
def connected(address: str, preload: Sequence[str]) -> Iterator[Client]:
    """Connect to the scheduler at an address, and let its workers get ready for tasks.

    They first import the modules `preload`.

    Raises:
        UsageError: the address is not encrypted, or certificates are missing.
        UnrollError: there is no scheduler, its connection is lost, or a worker has no
            Unroll.
    """
    _require_safe(address)
    context = Security().get_connection_args("client").get("ssl_context")
    if address.startswith("tls://") and context is None:
        raise UsageError(
            f"{address} needs certificates, and Dask's settings name none "
            "(docs/many-machines.md)"
        )
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UnrollError(
            f"no scheduler of Dask answers at {address} "
            f"({one_line(str(error)) or type(error).__name__:.200}); start it, or "
            "build without --scheduler and DASK_SCHEDULER_ADDRESS"
        ) from None
    # Where a scheduler dies, Dask would show tracebacks of its own connections.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    try:
        _require_safe(client.scheduler_info()["address"])
        client.subscribe_topic(SLOT, _say)
        try:
            client.register_plugin(SameEnvironment(environment(), preload))
        # Whatever a worker without our code raises.
        except Exception as error:  # noqa: BLE001
            # The client may not have noticed yet that its stream is closed.
            if isinstance(error, CommClosedError) or client.status != "running":
                raise _lost() from None
            raise UnrollError(
                "a worker cannot load Unroll's code "
                f"({type(error).__name__}: {one_line(str(error)):.200}); install the "
                "same version of Unroll on every worker"
            ) from None
        yield client
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be gone
            client.close()


def _lost() -> UnrollError:
    return UnrollError(
        "the connection to Dask's scheduler is lost; what was finished is kept, and "
        "the same command goes on"
    )


def _say(event: tuple[float, str]) -> None:
    progress.line(event[1], last=True)


def _require_safe(address: str) -> None:
    """Raise UsageError if an address leaves this machine without encryption."""
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    host = parts.hostname or ""
    local = host == "localhost"
    with contextlib.suppress(ValueError):
        local = local or ipaddress.ip_address(host).is_loopback
    if parts.scheme != "tls" and not local:
        raise UsageError(
            f"the scheduler {address} is not encrypted, and whoever reaches it runs "
            "code on every worker; use tls:// (docs/many-machines.md)"
        )


def trainers(client: Client) -> dict[str, str]:
    """Return the workers that may train: address -> name.

    A refused worker, and one that is not ready yet, has none.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return {
        address: str(worker["name"])
        for address, worker in workers.items()
        if worker["resources"].get(SLOT)
    }


@dataclass(kw_only=True)
class Cluster(Work):
    """Trainings on a scheduler's workers; the key of each call is its task.

    Attributes, besides those of `Work`:
        client: the connection; as it is closed, the scheduler drops the tasks that have
            not ended.
        workspace: the workspace of the prepared data sets and the runs.
        display: shows how far the tasks are.
        own_code: the files of the user's unroll_extensions.
        ready: `trainers` as they were last named; None before.
        data: name of a data set -> its files, which lie on workers.
        sent: the tasks that were sent.
    """

    client: Client
    workspace: Workspace
    display: progress.Tasks
    own_code: Files
    ready: dict[str, str] | None = None
    data: dict[str, Future] = field(default_factory=dict)
    sent: dict[Future, Submitted] = field(default_factory=dict)

    def ended(self) -> Iterator[Ended]:
        """Perform the tasks, and yield each outcome as a task ends.

        Raises:
            UnrollError: the connection is lost.
        """
        while self.waiting or self.sent:
            if self.client.status != "running":
                raise _lost()
            # Suppressed: a worker, or the scheduler, goes meanwhile.
            with contextlib.suppress(KeyError, OSError):
                self._hand_out()
            time.sleep(PAUSE)
            self.display.tick({})
            for future in [each for each in self.sent if each.done()]:
                call = self.sent.pop(future)
                # Its data were lost with their workers.
                if future.status in {"cancelled", "lost"}:
                    self.waiting.append(call)
                else:
                    yield _taken(self.workspace, call[0], future)

    def _hand_out(self) -> None:
        """Send tasks to the workers that are ready, and say which those are."""
        ready = trainers(self.client)
        if ready != self.ready:
            slots = sum(self.client.nthreads([*ready]).values())
            self._take_back()
            names = ", ".join(ready.values()) or "no worker can train: waiting"
            address = self.client.scheduler.address
            progress.line(f"trains at {address}: {names:.200}", last=True)
            self.display.slots(slots)
            self.ready = ready
        while ready and self.waiting:
            task = self.waiting[0][0]
            key = f"{task.whole_name}-{uuid.uuid4().hex}"
            data = self._sent(task.dataset, [*ready])
            future = self.client.submit(
                train, task, data, self.own_code, key=key, resources={SLOT: 1}
            )
            self.sent[future] = self.waiting.pop(0)

    def _sent(self, dataset: str, workers: list[str]) -> Future:
        """Return a prepared data set that lies on workers."""
        known = self.data.get(dataset)
        if known is None or known.status != "finished":
            files = _read(self.workspace.prepared(dataset))
            # In a list: Dask takes a dictionary for many pieces of data.
            [known] = self.client.scatter(
                [files], workers=workers, broadcast=True, hash=False
            )
            self.data[dataset] = known
        return known

    def _take_back(self) -> None:
        """Take the tasks back that no worker has been given.

        Dask offers them to a worker that connects, and not to one that was connected
        before it was ready.
        """
        processing = self.client.processing().values()
        with_place = {key for keys in processing for key in keys}
        futures = [
            each for each in self.sent if each.key not in with_place and not each.done()
        ]
        self.client.cancel(futures)
        self.waiting += [self.sent.pop(each) for each in futures]


@contextlib.contextmanager
def opened(
    address: str,
    preload: Sequence[str],
    workspace: Workspace,
    display: progress.Tasks,
) -> Iterator[Cluster]:
    """Yield the cluster of a scheduler; at the end its trainings are stopped.

    They are stopped, too, if this process dies.

    Args:
        address: the address of the scheduler.
        preload: the modules that its workers import first.
        workspace: the workspace of the prepared data sets and the runs.
        display: shows how far the tasks are.

    Raises:
        UsageError, UnrollError: as `connected`.
    """
    with connected(address, preload) as client:
        own_code = _read(workspace.root / EXTENSIONS)
        yield Cluster(
            client=client, workspace=workspace, display=display, own_code=own_code
        )


def _taken(workspace: Workspace, task: Task, future: Future) -> Ended:
    """Keep the finished run of a task, and return its outcome."""
    log = workspace.log(task.whole_name)
    if future.status == "error":
        error = future.exception()
        return Ended(task, log, 0.0, 0.0, one_line(f"{type(error).__name__}: {error}"))
    trained: Trained = future.result()
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(trained.log)
    if not trained.ended.error:
        with tasks.finishing(workspace, task) as folder:
            _write(trained.files, folder)
    return replace(trained.ended, key=task, log=log)


def train(task: Task, prepared: Files, own_code: Files) -> Trained:
    """Train a task in a child process of this worker; Dask calls this.

    Args:
        task: the task.
        prepared: the files of its prepared data set.
        own_code: the files of the user's unroll_extensions.
    """
    worker = get_worker()
    key = worker.get_current_task()

    def end_if_unwanted(_: object) -> None:
        # Dask cancels a task if its build has gone, but does not interrupt it.
        state = worker.state.tasks.get(key)
        if state is None or state.state == "cancelled":
            raise UnrollError(f"{task.whole_name}: nobody waits for it any more")

    server = worker.plugins[SLOT].server
    with tempfile.TemporaryDirectory(prefix="unroll-") as folder:
        workspace = Workspace(Path(folder))
        _write(prepared, workspace.prepared(task.dataset))
        _write(own_code, workspace.root / EXTENSIONS)
        log = workspace.log(task.whole_name)
        with Children(
            server=server, jobs=1, on_tick=end_if_unwanted, grace=GRACE
        ) as work:
            work.submit(task, log, perform, workspace, task)
            [ended] = work.ended()
        files = {}
        if not ended.error:
            files = _read(tasks.finished(workspace, task))
        error = ended.error.replace(str(log), f"the log of {task.whole_name}")
        ended = replace(ended, error=error, place=str(worker.name))
        return Trained(ended, files, log.read_bytes())


def _read(folder: Path) -> Files:
    """Return the files of a folder, which need not exist."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _write(files: Files, folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
