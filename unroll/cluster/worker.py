"""The processes of a cluster besides the head: its scheduler, and workers, which train
what Dask hands them.
"""

import asyncio
import io
import os
import tarfile
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline import processes
from pipeline.errors import UnrollError, UsageError
from pipeline.files import atomic_folder, read_json
from pipeline.training.run_store import Result, Task
from pipeline.workspace import Workspace
from stages import pool
from unroll.cluster import connection

JOIN = 60
"""Seconds that a worker waits for its scheduler, which may start later or again."""

WORKER = "UNROLL_WORKER"
"""Tells a training whose worker it runs on (`pipeline.tracking`)."""

_unpacking = threading.Lock()
_processes = threading.Lock()  # a server serves one thread at a time


@dataclass(frozen=True)
class Trained:
    """What a worker made of a task.

    Attributes:
        result: as the local pool yields it.
        run: path in the run folder -> content; empty where the training failed.
        record: where and when it was made (`Workspace.record`); empty where it could
            not be written.
        log: what the training printed.
        worker: its name.
    """

    result: Result
    run: dict[str, bytes]
    record: dict[str, Any]
    log: bytes
    worker: str


def train(data: bytes, digest: str, task: Task) -> Trained:
    """Perform a task in a process of its own, on the head's `data` (`head.pack`), whose
    hash is `digest`.

    Dask calls it on a worker, in a thread for each slot.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    workspace = unpack(data, Path(worker.local_directory) / digest)
    with _processes:
        call = pool.call(workspace, task)
        child = processes.Child(call, pool.start_server())
    while not wait([child.sentinel], processes.TICK):
        state = worker.state.tasks.get(key)
        if (
            worker.status.name != "running"
            or state is None
            or state.state != "executing"
        ):
            with _processes:
                processes.stop([child], pool.GRACE)
            raise UnrollError(
                "nobody waits for it any more: its head or the scheduler is gone"
            )
    with _processes:
        ended = child.result()
    # the head has the same files
    error = ended.error.replace(f"{workspace.root}/", "")
    run = {}
    record = {}
    if not error:
        folder = workspace.run(task.dataset, task.name)
        run = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        if workspace.record(task.dataset, task.name).exists():
            record = read_json(workspace.record(task.dataset, task.name))
    return Trained(
        Result(task, ended.seconds, error),
        run,
        record,
        call.log.read_bytes(),
        str(worker.name),
    )


def unpack(data: bytes, folder: Path) -> Workspace:
    """A workspace with the head's data, which is made only once."""
    with _unpacking:
        if not folder.exists():
            with (
                tarfile.open(fileobj=io.BytesIO(data)) as tar,
                atomic_folder(folder, folder.parent) as unfinished,
            ):
                tar.extractall(unfinished, filter="data")
    return Workspace(folder)


def work(
    address: str, certificates: Path | None, home: Path, slots: int, name: str
) -> None:
    """Be a worker until this process is stopped; arguments as of `unroll cluster
    worker`.

    Raises:
        UsageError, UnrollError: it must not be a worker, or no scheduler answers, now
            or later.
    """
    connection.require()
    from distributed import Worker
    from distributed.comm import get_local_address_for

    security = connection.security(address, certificates)
    os.environ[WORKER] = name
    # not in a thread of Dask's, with which the system would end it
    pool.start_server()
    folder = str(home.resolve())
    slot = connection.slot(connection.environment())

    async def run() -> None:
        while True:  # Dask's worker ends with its scheduler
            async with Worker(
                address,
                name=name,
                nthreads=slots,
                resources={slot: slots},
                local_directory=folder,
                memory_limit=0,
                security=security,
                host=get_local_address_for(address),
                dashboard=False,
                death_timeout=JOIN,
            ) as worker:
                print(f"worker {name}: {slots} slots, for {address}", flush=True)
                await worker.finished()
            print(
                f"worker {name} joins anew: the scheduler ended, or heard nothing of it",
                flush=True,
            )

    try:
        _run(run())
    except (OSError, TimeoutError):
        raise UnrollError(
            f"no scheduler answers at {address}; start it, or check address, certificates and clocks"
        ) from None
    except RuntimeError as error:
        if "name taken" not in str(error.__cause__):
            raise
        raise UsageError(
            f"another worker of {address} is called {name}; name this one: --name"
        ) from None


def schedule(address: str, certificates: Path | None) -> None:
    """Be a cluster's scheduler until this process is stopped; arguments as of
    `connection.security`.

    Raises:
        UsageError, UnrollError: it must not listen at this address, or cannot.
    """
    connection.require()
    from distributed import Scheduler

    security = connection.security(address, certificates)
    url = urlsplit(address)

    async def run() -> None:
        async with Scheduler(
            host=url.hostname,
            port=url.port,
            protocol="tls",
            security=security,
            dashboard=False,
        ) as scheduler:
            print(f"scheduler at {address}", flush=True)
            await scheduler.finished()

    try:
        _run(run())
    except (OSError, RuntimeError) as error:  # Dask wraps it
        cause = error.__cause__ or error
        why = getattr(cause, "strerror", "") or cause
        raise UnrollError(f"no scheduler can be started at {address}: {why}") from None


def _run(main: Coroutine[Any, Any, None]) -> None:
    """Run to the end, or until this process is told to end: then at once.

    `asyncio.run` would cancel Dask's tasks first and wait for them; if the other side
    is gone, too, for ever.
    """
    loop = asyncio.new_event_loop()
    # says of each task that it was left
    loop.set_exception_handler(lambda _loop, _context: None)
    loop.run_until_complete(main)
