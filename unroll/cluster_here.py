"""A cluster on this machine, to try: a scheduler and two workers, which build the demo
and end.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipeline.errors import UnrollError
from pipeline.files import remove
from pipeline.workspace import Workspace
from unroll.cluster import connection
from unroll.repro import LOCK
from unroll.workspaces import make

FOLDER = ".cluster"
"""The folder of everything that it writes, which nobody else can enter."""

WORKERS = ("a", "b")

IDLE = {"DASK_DISTRIBUTED__SCHEDULER__IDLE_TIMEOUT": "10m"}
"""Ends a scheduler that has nothing to do for so long: whoever started it was killed.
"""


def demo(workspace: Workspace) -> int:
    """Build the demo alone, then on a cluster, and compare their dvc.lock; the exit
    status.

    Raises:
        UnrollError: a package is not installed, or a build fails.
    """
    connection.require()
    home = workspace.root / FOLDER
    home.mkdir(exist_ok=True, mode=0o700)
    _unroll(workspace.root, "demo", environment={"UNROLL_SCHEDULER": ""})
    remove(home / "workspace")
    small = make.chosen(workspace.root, home / "workspace")
    with servers(home) as environment:
        _unroll(small.root, "repro", "--no-scores", environment=environment)
    alone = workspace.root / make.DEMO / LOCK
    if alone.read_bytes() != (small.root / LOCK).read_bytes():
        print(
            f"{small.root / LOCK} is not {alone}: the cluster has built something else"
        )
        return 1
    print(
        f"{FOLDER}/workspace/{LOCK} is, byte for byte, {make.DEMO}/{LOCK}, which this machine has built alone."
    )
    return 0


@contextmanager
def servers(home: Path) -> Iterator[dict[str, str]]:
    """A scheduler and two workers, which end with the block; yields the variables of
    the commands that use them.

    Their output is in `home`. All listen on the loopback interface alone.
    """
    certificates = home / "certificates"
    if not certificates.exists():
        connection.make_certificates(certificates)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tls://127.0.0.1:{server.getsockname()[1]}"
    environment = {
        "UNROLL_SCHEDULER": address,
        "UNROLL_CERTIFICATES": str(certificates),
    }
    with ExitStack() as stack:
        stack.enter_context(
            _server(home, "scheduler", "scheduler", address, environment=environment)
        )
        for name in WORKERS:
            words = [
                "worker",
                address,
                "--name",
                name,
                "--home",
                str(home / f"worker-{name}"),
            ]
            stack.enter_context(
                _server(home, f"worker-{name}", *words, environment=environment)
            )
        print(
            f"a scheduler and {len(WORKERS)} workers at {address}; their output: {FOLDER}/*.log",
            flush=True,
        )
        yield environment


@contextmanager
def _server(
    home: Path, name: str, *words: str, environment: dict[str, str]
) -> Iterator[None]:
    """`unroll cluster` with these words, as a process that ends with the block."""
    with (home / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "unroll", "cluster", *words],
            env={**os.environ, **IDLE, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is the build's
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _unroll(root: Path, *words: str, environment: dict[str, str]) -> None:
    """Run `unroll` in a workspace. Raises UnrollError if it fails."""
    command = [sys.executable, "-m", "unroll", "--root", str(root), *words]
    done = subprocess.run(command, env={**os.environ, **environment}, check=False)
    if done.returncode:
        raise UnrollError(
            f"`unroll {' '.join(words)}` in {root} failed; its own lines say why"
        )
