"""Trainings on the workers of a Dask cluster, in place of this machine's processes
(`stages.pool.run`).

What a task needs goes to each worker once, through Dask; what it leaves comes back as
bytes, into this workspace's store. So the head has no other state than its workspace,
and nothing that has ended is lost with a worker.
"""

import hashlib
import io
import tarfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pipeline.config.params import TEMPLATES
from pipeline.config.registry import EXTENSIONS
from pipeline.errors import UnrollError, one_line
from pipeline.files import write_json
from pipeline.provenance import record
from pipeline.tracking import runs
from pipeline.training import run_store
from pipeline.training.run_store import Result, Task
from pipeline.workspace import Workspace
from unroll.cluster import connection, worker

if TYPE_CHECKING:
    from distributed import Client

EVERY = 0.2
"""Seconds between two looks at the trainings."""

LOOK = 2.0
"""Seconds between two looks at the workers."""

RETRIES = 2
"""How often Dask tries a task again whose worker could not even start it."""


def run(
    workspace: Workspace,
    tasks: Sequence[Task],
    _jobs: int,
    on_tick: Callable[[dict[Task, float]], None],
    *,
    address: str,
    certificates: Path | None,
) -> Generator[Result]:
    """Perform tasks on workers, in the given order, as many at once as these have
    slots; yields each as it ends.

    Raises:
        UsageError: as `connection.security`.
        UnrollError: packages are missing, no scheduler answers, now or later, or no
            worker is like this machine.
    """
    if not tasks:
        return
    with connected(address, certificates) as client:
        workers = Workers(workspace, client, address, pack(workspace, tasks))
        waiting = list(tasks)
        running: dict[Any, Task] = {}
        started: dict[Task, float] = {}
        while waiting or running:
            slots = workers.slots()
            while waiting and len(running) < slots:
                try:
                    running[workers.submit(waiting[0])] = waiting[0]
                except (OSError, TimeoutError, CancelledError):
                    # workers or the scheduler have just gone: the next look at them
                    # says so
                    break
                started[waiting.pop(0)] = time.monotonic()
            on_tick(
                {task: time.monotonic() - started[task] for task in running.values()}
            )
            time.sleep(EVERY)
            for future in [future for future in running if future.done()]:
                task = running.pop(future)
                result = landed(
                    workspace, future, task, time.monotonic() - started[task]
                )
                if result is None:
                    waiting.insert(0, task)
                else:
                    yield result


@contextmanager
def connected(address: str, certificates: Path | None) -> Iterator["Client"]:
    """A client of the scheduler at `address`. Raises UsageError, UnrollError as `run`."""
    connection.require()
    from distributed import Client

    security = connection.security(address, certificates)
    try:
        client = Client(
            address,
            security=security,
            timeout=connection.PATIENCE,
            set_as_default=False,
        )
    except (OSError, TimeoutError, ValueError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        why += f": {getattr(error.__cause__, 'verify_message', 'is it a clock, or the certificate?')}"
        raise UnrollError(
            f"no scheduler answers at {address} ({why}); start one with `unroll cluster scheduler`"
        ) from None
    try:
        yield client
    finally:
        client.close(timeout=2)


class Workers:
    """The workers of a scheduler, as the head sees them; `data` is what they need of
    its workspace (`pack`).
    """

    def __init__(
        self, workspace: Workspace, client: "Client", address: str, data: bytes
    ) -> None:
        self._workspace = workspace
        self._client = client
        self._address = address
        self._data = data
        self._digest = hashlib.sha256(data).hexdigest()
        self._sent: Any = None  # the data, as Dask's future
        self._environment = connection.environment()
        self._slot = connection.slot(self._environment)
        self._states: dict[str, str] | None = None
        self._slots = 0
        self._looked = -LOOK

    def slots(self) -> int:
        """How many trainings the workers that are like this machine take at once, by
        now.

        Says which came, went or are not used, and why.

        Raises:
            UnrollError: the scheduler is gone, or there are workers, but none that is
                like this machine.
        """
        if self._client.status != "running":
            raise UnrollError(
                f"the scheduler at {self._address} is gone; start it (workers wait for a minute), "
                "then run this again: what was finished is kept"
            )
        if time.monotonic() - self._looked < LOOK:
            return self._slots
        self._looked = time.monotonic()
        try:
            # `scheduler_info` has what was true seconds ago
            ask = self._client.scheduler.identity
            seen = self._client.sync(
                ask, n_workers=-1, callback_timeout=connection.PATIENCE
            )
        except (OSError, TimeoutError):  # the next look says that it is gone
            return self._slots
        workers = {
            str(worker["name"]): worker["resources"]
            for worker in seen["workers"].values()
        }
        self._slots = sum(
            int(resources.get(self._slot, 0)) for resources in workers.values()
        )
        states = {name: self._state(resources) for name, resources in workers.items()}
        if states and self._slots == 0:
            reasons = "; ".join(
                f"worker {name} {state}" for name, state in states.items()
            )
            raise UnrollError(f"no worker can train this: {reasons}")
        self._tell(states)
        return self._slots

    def submit(self, task: Task) -> Any:
        """Hand a task out, as Dask's future; the data go along where workers have not
        got them yet.
        """
        if self._sent is None or self._sent.status != "finished":
            self._sent = self._client.scatter(self._data, broadcast=True)
        return self._client.submit(
            worker.train,
            self._sent,
            self._digest,
            task,
            key=f"train-{task.whole_name}-{uuid4().hex}",
            resources={self._slot: 1},
            retries=RETRIES,
        )

    def _state(self, resources: Mapping[str, float]) -> str:
        """What to say of a worker with these Dask resources."""
        if self._slot in resources:
            return f"is there, {resources[self._slot]:.0f} slots"
        return f"is not used: {connection.difference(resources, self._environment)}"

    def _tell(self, states: dict[str, str]) -> None:
        """Say what has changed since the last look: name -> `_state`."""
        before = self._states or {}
        for name in before.keys() - states.keys():
            say(f"worker {name} is gone; its trainings run elsewhere")
        for name, state in states.items():
            if before.get(name) != state:
                say(f"worker {name} {state}")
        if not states and self._states != {}:
            say(
                f"no worker is there; waiting for `unroll cluster worker {self._address}`"
            )
        self._states = states


def say(text: str) -> None:
    """Print a line now, though the standard output may be a file."""
    print(text, flush=True)


def landed(
    workspace: Workspace, future: Any, task: Task, seconds: float
) -> Result | None:
    """Take what a worker has trained into the workspace; None where it was lost on the
    way.
    """
    if future.status == "error":
        return Result(task, seconds, f"{task.whole_name}: {_why(future.exception())}")
    try:
        trained: worker.Trained = future.result(timeout=connection.PATIENCE)
    except (CancelledError, TimeoutError):  # with the workers that had it, or its data
        return None
    log = workspace.log(task.whole_name)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(trained.log)
    if trained.result.error:
        return replace(
            trained.result, error=f"{trained.result.error} (on worker {trained.worker})"
        )
    with run_store.adding(workspace, task.dataset, task.name, task.key) as folder:
        for name, content in trained.run.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    run_store.place(workspace, task.dataset, task.name, task.key)
    if trained.record:
        # a worker knows nothing of this workspace's history
        here = record.environment(workspace)
        written = trained.record | {"commit": here.commit, "dirty": here.dirty}
        write_json(workspace.record(task.dataset, task.name), written)
    with log.open("a", encoding="utf-8") as output, redirect_stderr(output):
        runs.trained(workspace, task.whole_name, task.experiment)
    return trained.result


def _why(error: BaseException | None) -> str:
    """What went wrong in Dask's own part of a training."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        died = error.allowed_failures + 1
        return f"{died} workers died while they trained it, so it may be what kills them, such as by its memory"
    return (
        f"the cluster cannot train it: {type(error).__name__}: {one_line(str(error))}"
    )


def pack(workspace: Workspace, tasks: Sequence[Task]) -> bytes:
    """What the tasks need of the workspace, as a tar file: params.yaml, prepared data
    and the user's own modules.
    """
    paths = {workspace.params, workspace.root / TEMPLATES, workspace.root / EXTENSIONS}
    paths |= {workspace.prepared(task.dataset) for task in tasks}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", dereference=True) as tar:
        for path in sorted(paths):
            if path.exists():
                tar.add(path, path.relative_to(workspace.root))
    return packed.getvalue()
