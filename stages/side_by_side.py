"""Run the stages of DVC's graph, several at a time, each in a DVC process of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stages import client

Process = subprocess.Popen[bytes] | client.Process

POLL = 0.05
"""Seconds between two looks at the running stages."""

GRACE = 10.0
"""Seconds that a stopped command gets to end by itself."""


@dataclass(frozen=True)
class Outcome:
    """What became of the stages that were asked for.

    Attributes:
        built: stage -> seconds.
        failed: stage -> exit status, never 0.
        skipped: stages that need one that failed, directly or not.
    """

    built: dict[str, float] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


Start = Callable[[str], Process]
"""Starts a stage, out of reach of the terminal's Ctrl-C."""

OnEvent = Callable[[Outcome, Sequence[str], str | None], None]
"""Called with what has become of the stages, those that run, and the one that just ended (or None)."""


def build(
    due: Sequence[str], needs: Mapping[str, Sequence[str]], jobs: int, start: Start, on_event: OnEvent
) -> Outcome:
    """Run each of `due` as soon as all that it needs is built; one that fails stops only those that need it.

    Args:
        due: the stages to run, in the order in which they start where the graph leaves a choice.
        needs: stage -> the stages that it needs; those that are not due are up to date.
        jobs: how many run at once.
        start: starts a stage, out of reach of the terminal's Ctrl-C.
        on_event: called when a stage has started or ended, and while nothing happens.

    Returns:
        What became of every stage of `due`.

    Raises:
        KeyboardInterrupt: after every running stage was stopped.
    """
    outcome = Outcome()
    waiting = list(due)
    running: dict[str, tuple[Process, float]] = {}
    try:
        while waiting or running:
            lost = {*outcome.failed, *outcome.skipped}
            pending = {*waiting, *running}
            for stage in list(waiting):
                if any(need in lost for need in needs[stage]):
                    waiting.remove(stage)
                    outcome.skipped.append(stage)
                    lost.add(stage)
                elif len(running) < jobs and not any(need in pending for need in needs[stage]):
                    waiting.remove(stage)
                    running[stage] = (start(stage), time.monotonic())
            on_event(outcome, list(running), None)
            if not running:
                continue
            time.sleep(POLL)
            for stage, (process, started) in list(running.items()):
                status = process.poll()
                if status is None:
                    continue
                del running[stage]
                if status:
                    outcome.failed[stage] = status
                else:
                    outcome.built[stage] = time.monotonic() - started
                on_event(outcome, list(running), stage)
    finally:
        stop([process for process, _ in running.values()])
    return outcome


def stop(processes: Sequence[Process]) -> None:
    """End stages as Ctrl-C would: what DVC runs gets the signal, DVC itself ends when that has ended.

    DVC must not be interrupted, since it writes dvc.lock in place: half of it would be left. A command
    that is still there after `GRACE` seconds is killed, and after as long again so is DVC. Until then a
    second Ctrl-C has no effect.
    """
    told: set[int] = set()
    started = time.monotonic()
    with deaf():
        while waiting := [process for process in processes if process.poll() is None]:
            late = time.monotonic() - started
            for process in waiting:
                for command in _commands(process):
                    if late > GRACE or command not in told:
                        _signal(command, signal.SIGKILL if late > GRACE else signal.SIGINT)
                        told.add(command)
                if late > 2 * GRACE:
                    process.kill()
            time.sleep(POLL)


@contextlib.contextmanager
def deaf() -> Iterator[None]:
    """Do not listen to Ctrl-C and requests to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _commands(process: Process) -> list[int]:
    """The processes that a process has started, directly or not."""
    import psutil

    try:
        return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _signal(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def environment() -> dict[str, str]:
    """The environment of DVC and of what it runs: one thread for each, since parallelism is across stages."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    threads |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    # DVC runs `unroll`, so the folder of this Python comes first on PATH, with the user's shell; /bin/sh is
    # everywhere and reads no start-up files.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return os.environ | threads | {"PATH": path, "SHELL": "/bin/sh", "DVC_NO_ANALYTICS": "1"}


def dvc(
    root: Path, stage: str, log: Path, variables: Mapping[str, str], *, server: str = "", force: bool = False
) -> Process:
    """Start `dvc repro` of one stage alone, out of reach of the terminal's Ctrl-C, its output in `log`.

    The stages that it needs are not looked at.

    Args:
        root: of the workspace.
        stage: such as `train@jena_gru`.
        log: a file.
        variables: the environment.
        server: the address of one that runs `dvc`; where it is not there, a new process does.
        force: whether to build it even if nothing has changed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["--wait-for-lock", "repro", "--single-item", *["--force"] * force, stage]
    with log.open("wb") as output, Path(os.devnull).open("rb") as nothing:
        streams = (nothing.fileno(), output.fileno(), output.fileno())
        process = client.ask(server, arguments, variables, str(root), streams) if server else None
        if process is not None:
            return process
        return subprocess.Popen(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=root,
            env=variables,
            stdin=nothing,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
