"""A scheduler and workers as processes of this machine, with a folder in place of S3; and builds on them."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import process_cost, workspaces
from bench.repository import REPOSITORY
from pipeline.workspace import Workspace

HOST = "127.0.0.1"

PATIENCE = 60
"""Seconds to wait for a process."""


@dataclass(frozen=True)
class Built:
    """What a build took.

    Attributes:
        seconds: of the whole command.
        stages: stage -> seconds, as the build saw them.
        spent: stage -> `begin` and `land`, seconds of the build's own process.
    """

    seconds: float
    stages: dict[str, float]
    spent: dict[str, dict[str, float]]


def build(workspace: Workspace, *options: str) -> Built:
    """Run `unroll repro` with an account of each stage.

    Raises:
        CommandFailedError: it failed.
    """
    accounts = workspace.root.with_suffix(".json")
    command = ["-m", "bench.cluster.head", str(accounts), "repro", "--no-scores", *options]
    cost = process_cost.run(
        [str(process_cost.interpreter()), *command], workspace.root, workspaces.environment(workspace, REPOSITORY)
    )
    kept = json.loads((workspace.scratch / "seconds.json").read_text(encoding="utf-8"))
    stages = {stage: float(one["seconds"]) for stage, one in kept.items()}
    return Built(cost["seconds"], stages, json.loads(accounts.read_text(encoding="utf-8")))


@contextmanager
def cluster(workspace: Workspace, workers: int) -> Iterator[str]:
    """Start a scheduler and workers with one slot each; its address.

    Raises:
        CommandFailedError: one does not start.
    """
    with socket.socket() as one:
        one.bind((HOST, 0))
        address = f"tcp://{HOST}:{one.getsockname()[1]}"
    home = workspace.root.with_suffix(".cluster")
    home.mkdir()
    commands = {"scheduler": ["scheduler", address]}
    for number in range(workers):
        name = f"worker{number}"
        commands[name] = ["worker", address, "--name", name, "--home", str(home / name)]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for name, command in commands.items():
            log = home / f"{name}.log"
            with log.open("wb") as said:
                running.append(
                    subprocess.Popen(
                        [str(process_cost.interpreter()), "-m", "stages", "cluster", *command],
                        cwd=workspace.root,
                        env=workspaces.environment(workspace, REPOSITORY),
                        stdin=subprocess.DEVNULL,
                        stdout=said,
                        stderr=subprocess.STDOUT,
                    )
                )
            _until_it_speaks(running[-1], log)
        yield address
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            process.wait()


def _until_it_speaks(process: "subprocess.Popen[bytes]", log: Path) -> None:
    started = time.monotonic()
    while not log.read_bytes():
        if process.poll() is not None or time.monotonic() - started > PATIENCE:
            raise process_cost.CommandFailedError(f"{log.stem} of the cluster does not start")
        time.sleep(0.05)
