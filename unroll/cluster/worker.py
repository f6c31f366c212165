"""A worker of a cluster: takes stages from the scheduler and has them built in its slots (`unroll.cluster.slot`)."""

import ast
import asyncio
import hashlib
import io
import os
import pickle
import queue
import select
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import UnrollError, UsageError, without_password
from pipeline.locks import alone
from pipeline.provenance.machine import PACKAGES
from unroll.cluster import connection
from unroll.runner.scheduler import terminable

WORKER = "UNROLL_WORKER"
"""Tells a stage whose worker it runs on: MLflow's runs are tagged with it (`pipeline.tracking.payload`)."""

GONE = 0.2
"""Seconds between two looks whether the head still wants a stage."""

JOIN = 60
"""Seconds to wait for the scheduler, which may start later than its workers."""

TAIL = 20_000
"""Bytes of a slot's log that the head is told, at most."""

ROOM = 32 * 1024**2
"""Bytes that must be free in a worker's home: twice what DVC asks for (`unroll.runner.dvc_graph`)."""

LIMIT = 300
"""Seconds that a probe's imports may take: a minute on a cold network drive, and some hang for ever."""

USED = ("pipeline", "stages", "unroll/runner")
"""The code that a stage consists of, and that it is run by."""

IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    print(name, flush=True)
    importlib.import_module(name)
"""
"""A probe's program: of what it prints, the last module is the one that cannot be imported."""

Answer = tuple[bytes | None, str, bytes, bool]
"""The stage's outputs (None: there are none), why not, its log, and whether another worker may have more luck.

Outputs and tasks are pickled: a worker whose packages are broken must not fail at reading them.
"""

_free: "queue.LifoQueue[Slot]" = queue.LifoQueue()


class Slot:
    """Builds one stage at a time.

    Args:
        root: its folder; is emptied when other code comes.
        cache: the folder of DVC's cache, which the slots of a worker share.
    """

    def __init__(self, root: Path, cache: Path) -> None:
        self.root, self._cache, self._log = root, cache, root.with_name(f"{root.name}.log")
        self._process: Any = None  # a Popen with pipes
        self._code = ""

    def build(self, code: bytes, name: str, task: bytes, awaited: Callable[[], bool]) -> Answer:
        """Have a stage built (`unroll.cluster.slot.serve`) by the head's code, a tar file, while it is `awaited`."""
        digest = hashlib.sha256(code + name.encode()).hexdigest()
        try:
            if self._process is None or self._process.poll() is not None or self._code != digest:
                self.close()
                self._process, self._code = self._start(code, name), digest
            self._process.stdin.write(task)
            self._process.stdin.flush()
            while not select.select([self._process.stdout], [], [], GONE)[0]:
                if not awaited():
                    self.close()
                    return None, "the build was stopped", b"", False
            answer: Answer = pickle.load(self._process.stdout)
        except (EOFError, OSError):  # such as on a full disk
            self.close()
            printed = self._log.read_bytes()[-TAIL:] if self._log.exists() else b""
            return None, "its process on the worker ended without a word", printed, True
        return answer

    def close(self) -> None:
        """End the process, and with it what it builds."""
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self, code: bytes, name: str) -> "subprocess.Popen[bytes]":
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True, exist_ok=True)  # a stage that is just being killed may still write there
        with tarfile.open(fileobj=io.BytesIO(code)) as tar:
            tar.extractall(self.root, filter="data")
        settings = f"[core]\n    no_scm = true\n[cache]\n    dir = {self._cache}\n"
        (self.root / ".dvc" / "config.local").write_text(settings)
        site = self._cache.with_name("site")
        site.mkdir(mode=0o700, exist_ok=True)  # DVC would make it writable for all
        variables = {WORKER: name, "PYTHONPATH": str(self.root), "DVC_SITE_CACHE_DIR": str(site)}
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "unroll.cluster.slot"],
                cwd=self.root,
                env={**os.environ, **variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is the worker's
            )


def build(code: bytes, name: str, task: bytes) -> tuple[Answer, str, str]:
    """What Dask runs: a task in a free slot. `name` is the build's.

    Returns:
        The slot's answer, the worker's name, and, if there are no outputs, what the worker lacks ("": it can work).
    """
    from distributed import get_worker

    worker = get_worker()
    key, slot = worker.get_current_task(), _free.get()

    def awaited() -> bool:
        state = worker.state.tasks.get(key)  # a worker without a scheduler closes, and waits for its tasks
        return worker.status.name == "running" and state is not None and state.state == "executing"

    try:
        outputs, why, log, elsewhere = slot.build(code, f"{name}/{worker.name}", task, awaited)
        lacks, printed = probe(slot.root) if outputs is None and awaited() else ("", b"")
        return (outputs, why, log + printed, elsewhere), str(worker.name), lacks
    finally:
        _free.put(slot)


def probe(root: Path) -> tuple[str, bytes]:
    """What keeps the worker of a slot, whose folder is `root`, from work, "" if nothing does; and what was printed.

    So a worker that cannot build stages at all is told from a stage that fails by itself.
    """
    try:
        require_room(root.parent)
    except UnrollError as error:
        return str(error), f"{error}\n".encode()
    command, variables = [sys.executable, "-c", IMPORT, *imported(root)], {**os.environ, "PYTHONPATH": str(root)}
    try:
        subprocess.run(command, cwd=root.parent, env=variables, capture_output=True, check=True, timeout=LIMIT)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        module = [b"Python", *(error.stdout or b"").split()][-1].decode()
        if isinstance(error, subprocess.TimeoutExpired):
            why = f"it has not ended after {LIMIT} s"
        else:
            why = [b"exit code %d" % error.returncode, *error.stderr.splitlines()][-1].decode(errors="replace")
        return f"it cannot import {module} ({why})", error.stderr or b""
    return "", b""


def imported(root: Path) -> list[str]:
    """The modules of others that the code of stages imports, also in functions, in alphabetical order."""
    names = set()
    for file in (file for folder in USED for file in (root / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names.add(node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name)
    return sorted(name for name in names if name.partition(".")[0] not in {*sys.stdlib_module_names, *PACKAGES})


def require_room(home: Path) -> None:
    """Raises UnrollError if a worker cannot write what DVC needs to its home."""
    try:
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(bytes(ROOM))
    except OSError as error:
        needs = f"a worker needs {ROOM >> 20} MB there at least, and room for what its stages make"
        raise UnrollError(f"nothing can be written to {home} ({error.strerror}); {needs}") from None


def serve(
    address: str, home: Path, slots: int, labels: Sequence[str], name: str, certificates: Path | None = None
) -> None:
    """Be a worker until this process is stopped; arguments as of `unroll cluster worker`.

    Raises:
        UsageError, UnrollError: it must not be a worker, lacks room, or no scheduler answers, now or later.
    """
    connection.require()
    from distributed import Worker
    from distributed.comm import get_local_address_for

    security = connection.security(address, certificates)
    check_records()
    resources = dict.fromkeys([connection.slot_label(connection.environment()), *labels], float(slots))

    async def run() -> None:
        options = {"nthreads": slots, "name": name, "resources": resources, "local_directory": str(home / "dask")}
        options |= {"memory_limit": 0, "security": security, "dashboard_address": "127.0.0.1:0"}
        options |= {"death_timeout": JOIN, "host": get_local_address_for(address)}
        patience = 0.0
        while True:  # Dask's worker ends once the scheduler is lost, or one of them was frozen
            try:
                async with Worker(address, **options) as joined:
                    print(f"worker {name}: {slots} slots, for {address}", flush=True)
                    await joined.finished()
                print(f"worker {name} joins anew: the scheduler ended, or heard nothing of it", flush=True)
                patience = time.monotonic() + JOIN
            except RuntimeError as error:
                if "name taken" not in str(error.__cause__):
                    raise
                if time.monotonic() > patience:  # else the scheduler may not know yet that ours has ended
                    raise UsageError(f"another worker of {address} is called {name}; name this one: --name") from None
                await asyncio.sleep(1)

    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    require_room(home)
    with alone(home / "worker.lock", f"another worker has {home}; give each a --home of its own"), terminable():
        own_slots = [Slot(home / f"slot{number}", home / "cache") for number in range(slots)]
        for slot in own_slots:
            _free.put(slot)
        try:
            _run_until_told(run())
        except (OSError, TimeoutError):
            raise UnrollError(
                f"no scheduler answers at {address}; start it, or check address, certificates and clocks"
            ) from None
        finally:
            for slot in own_slots:
                slot.close()


def schedule(address: str, certificates: Path | None = None) -> None:
    """Be a cluster's scheduler until this process is stopped; arguments and errors as in `connection.security`.

    Raises:
        UnrollError: the address cannot be had.
    """
    connection.require()
    from distributed import Scheduler

    security = connection.security(address, certificates)
    host, port = urlsplit(address).hostname, urlsplit(address).port

    async def run() -> None:
        options = {"host": host, "port": port, "protocol": "tls", "security": security}
        async with Scheduler(**options, dashboard=False, dashboard_address="127.0.0.1:0") as scheduler:
            print(f"scheduler at {address}", flush=True)
            await scheduler.finished()

    try:
        with terminable():
            _run_until_told(run())
    except (OSError, RuntimeError) as error:  # Dask wraps it
        why = error.__cause__ or error
        raise UnrollError(f"no scheduler can be started at {address}: {getattr(why, 'strerror', '') or why}") from None


def _run_until_told(main: Coroutine[Any, Any, None]) -> None:
    """Run to the end, or until this process is told to end: then at once.

    `asyncio.run` would cancel Dask's tasks first and wait for them; if the other side is gone, too, for ever.
    """
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # says of each task that it was left
    loop.run_until_complete(main)


def check_records() -> None:
    """Raises UsageError if records would go straight into a database."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if uri and not uri.startswith(("http://", "https://")):
        raise UsageError(
            f"MLFLOW_TRACKING_URI={without_password(uri)} is no server. Workers that set up one database at once break "
            "it, and files would stay on their own disks; start `mlflow server` on it and name its http:// address"
        )
